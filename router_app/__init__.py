"""The router: inference, the admin API, and the processes beside it. It never imports Prefect."""
