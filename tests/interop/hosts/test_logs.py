from __future__ import annotations

from tanist_interop.hosts.logs import bad_lines


def test_bad_lines_of_a_log(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "[HA] info fine\n[HA] critical Shutting down\nTraceback (most recent call last):\n"
        '  File "x"\nKeyError: 7\n[HA] info fine\n'
    )
    critical, traceback = bad_lines(log)
    assert critical == "[HA] critical Shutting down"
    assert traceback == "Traceback (most recent call last): ... KeyError: 7"
    log.write_text("x] critical\n" * 1000)
    assert len(bad_lines(log)) == 50
