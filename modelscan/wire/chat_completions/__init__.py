"""OpenAI's chat completions, read into and written from the neutral form."""

from modelscan.wire.chat.spoke import Spoke
from modelscan.wire.chat_completions.answers import read_answer, write_answer
from modelscan.wire.chat_completions.request_in import read_request
from modelscan.wire.chat_completions.request_out import write_request
from modelscan.wire.chat_completions.stream_in import StreamReading
from modelscan.wire.chat_completions.stream_out import StreamWriting

__all__ = ["CHAT_COMPLETIONS"]

CHAT_COMPLETIONS = Spoke(
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
    stream_in=StreamReading,
    stream_out=StreamWriting,
)
