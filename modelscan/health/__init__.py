"""How providers are doing, judged from what was seen of them: pure, with clocks passed in."""
