"""Anthropic's Messages, read into and written from the neutral form."""

from modelscan.wire.chat.spoke import Spoke
from modelscan.wire.messages.answers import read_answer, write_answer
from modelscan.wire.messages.request_in import read_request
from modelscan.wire.messages.request_out import write_request
from modelscan.wire.messages.stream_in import StreamReading
from modelscan.wire.messages.stream_out import StreamWriting

__all__ = ["MESSAGES"]

MESSAGES = Spoke(
    read_request=read_request,
    write_request=write_request,
    read_answer=read_answer,
    write_answer=write_answer,
    stream_in=StreamReading,
    stream_out=StreamWriting,
)
