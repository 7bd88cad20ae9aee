"""The model of a form with files is found and changed, and no other byte."""

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.errors import InvalidInput
from router_app.multipart import Form, is_form

TYPE = b"multipart/form-data; boundary=mark"
BODY = (
    b'--mark\r\nContent-Disposition: form-data; name="file"; filename="model"\r\nContent-Type: audio/wav\r\n\r\n'
    b'RIFF\r\n\r\nname="model"\r\n--marx\r\n'
    b'--mark\r\nContent-Disposition: form-data; name="model"\r\n\r\nacme/whisper\r\n'
    b'--mark\r\ncontent-disposition: form-data; name="models"\r\n\r\nother\r\n--mark--\r\n'
)


def test_the_model_is_found_and_nothing_else_changes() -> None:
    form = Form.read(BODY, TYPE)
    assert form.model == "acme/whisper"
    assert form.with_model("whisper") == BODY.replace(b"acme/whisper", b"whisper")


@given(st.binary(max_size=300), st.text(min_size=1, max_size=30).filter(lambda text: text.isprintable()))
def test_what_a_library_writes_is_read(data: bytes, model: str) -> None:
    request = httpx2.Request(
        "POST", "http://x", data={"language": "en", "model": model}, files={"file": ("a.wav", data)}
    )
    form = Form.read(request.read(), request.headers["content-type"].encode())
    assert form.model == model


@pytest.mark.parametrize("content_type", [b'multipart/form-data; charset=utf-8; boundary="mark"', TYPE + b"; x=y"])
def test_the_boundary_may_stand_anywhere_and_in_quotes(content_type: bytes) -> None:
    assert Form.read(BODY, content_type).model == "acme/whisper"


@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        (BODY, b"multipart/form-data", "no boundary"),
        (BODY, b"multipart/form-data; boundary=", "no boundary"),
        (b"", TYPE, "names no model"),
        (b"--mark", TYPE, "names no model"),
        (b'--mark\r\nContent-Disposition: form-data; name="model"\r\n\r\nwithout an end', TYPE, "names no model"),
        (BODY.replace(b"models", b"model"), TYPE, "more than one model"),
        (BODY.replace(b"acme/whisper", b"x" * 600), TYPE, "names no model"),
    ],
)
def test_what_names_not_just_one_model_is_refused(body: bytes, content_type: bytes, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Form.read(body, content_type)


@given(
    st.binary(max_size=400) | st.lists(st.sampled_from([b"--mark", b"\r\n", b"model", b'name="', BODY])).map(b"".join)
)
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    try:
        form = Form.read(body, TYPE)
    except InvalidInput:
        return
    assert form.with_model(form.model) == body or "\ufffd" in form.model


def test_a_head_that_is_too_long_names_nothing() -> None:
    with pytest.raises(InvalidInput, match="names no model"):
        Form.read(BODY.replace(b'name="model"\r\n\r\nacme', b'name="model"; ' + b"x;" * 5000 + b"\r\n\r\nacme"), TYPE)


def test_a_form_is_told_by_its_type() -> None:
    assert is_form(b"Multipart/Form-Data; boundary=x")
    assert not is_form(b"application/json")
