"""What must never appear in a log, and what every role counts."""

from __future__ import annotations

import json

import pytest
import structlog

from aligned.observability import Metrics, configure_logging, redact, redact_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:hunter2@db:5432/x", "postgresql://[redacted]@db:5432/x"),
        ("https://rpc.example/v2/abcdefghijklmnopqrstuvwx", "https://rpc.example/v2/[redacted]"),
        ("https://rpc.example/?key=hunter2#x", "https://rpc.example/?[redacted]"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("s3://bucket/batches", "s3://bucket/batches"),
    ],
)
def test_redact_url__secret_parts__are_gone(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_redact__nested_values__secrets_go_and_bytes_become_hex() -> None:
    given = {
        "password": "hunter2",
        "keys": [{"private_key": b"\x01", "root": b"\xab"}],
        "note": "see https://u:hunter2@h/x and wss://h/?token=hunter2",
        "error": ValueError("at https://u:hunter2@h/"),
        "count": 3,
        "nothing": None,
        "password_file": "/etc/aligned/password",
    }
    shown = redact(given)
    assert "hunter2" not in repr(shown)
    assert isinstance(shown, dict)
    assert shown["keys"] == [{"private_key": "[redacted]", "root": "0xab"}]
    assert (shown["count"], shown["nothing"], shown["password_file"]) == (3, None, "/etc/aligned/password")


def test_logging__json__one_object_a_line_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("batcher", json=True)
    try:
        log = structlog.get_logger()
        try:
            raise RuntimeError("cannot reach postgresql://u:hunter2@h/d")  # noqa: TRY301
        except RuntimeError:
            log.exception("task_failed", api_key="hunter2", root=b"\x01", rpc="https://h/?k=hunter2")
        log.debug("not shown")
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "hunter2" not in lines[0]
    event = json.loads(lines[0])
    assert (event["event"], event["role"], event["root"], event["level"]) == (
        "task_failed",
        "batcher",
        "0x01",
        "error",
    )
    assert "RuntimeError" in event["exception"]


def test_metrics__role__has_build_success_and_durations() -> None:
    metrics = Metrics("batcher")
    metrics.succeeded("post")
    with metrics.timed("chain"):
        pass
    with pytest.raises(LookupError), metrics.timed("chain"):
        raise LookupError
    text = metrics.render().decode()
    assert "aligned_batcher_build_info{" in text
    assert 'aligned_batcher_last_success_timestamp_seconds{loop="post"}' in text
    assert 'aligned_batcher_request_seconds_count{dependency="chain",outcome="ok"} 1.0' in text
    assert 'aligned_batcher_request_seconds_count{dependency="chain",outcome="error"} 1.0' in text
