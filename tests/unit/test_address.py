# SPDX-License-Identifier: Apache-2.0
"""Where a secret may be sent, and where not."""

from __future__ import annotations

import pytest

from airflow_provider_chattransfer.platforms.address import base_url, is_loopback


class TestAnAddress:
    @pytest.mark.parametrize(
        ("host", "url"),
        [
            ("example.bitrix24.com", "https://example.bitrix24.com"),
            (" example.bitrix24.com/ ", "https://example.bitrix24.com"),
            ("https://Example.Bitrix24.com", "https://example.bitrix24.com"),
            ("https://example.com:8443/crm/", "https://example.com:8443/crm"),
            ("example.com:8443", "https://example.com:8443"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("http://127.0.0.1:8024", "http://127.0.0.1:8024"),
            ("http://localhost:8024/Cust12345", "http://localhost:8024/Cust12345"),
            ("http://[::1]:8024", "http://[::1]:8024"),
        ],
    )
    def test_is_https_unless_it_says_otherwise(self, host: str, url: str) -> None:
        assert base_url(host) == url

    def test_takes_port_and_scheme_from_the_connections_own_fields(self) -> None:
        assert base_url("127.0.0.1", port=8024, schema="http") == "http://127.0.0.1:8024"

    @pytest.mark.parametrize(("host", "port"), [("example.com/crm", 443), ("example.com:443/crm", None)])
    def test_is_the_same_with_the_usual_port(self, host: str, port: int | None) -> None:
        assert base_url(host, port=port) == "https://example.com/crm"

    def test_prefers_what_stands_in_the_host(self) -> None:
        assert base_url("https://example.com:1", port=2, schema="http") == "https://example.com:1"

    @pytest.mark.parametrize("host", [None, "", "  ", "/"])
    def test_that_is_missing_is_an_error_that_names_the_field(self, host: str | None) -> None:
        with pytest.raises(ValueError, match=r"^portal: empty"):
            base_url(host, of="portal")

    @pytest.mark.parametrize(
        "host",
        [
            "ftp://example.com",
            "https://",
            "https://example.com?code=1",
            "https://example.com#part",
            "example.com:abc",
            "example.com:99999",
            "https://[::1",
            "my portal.example.com",
            "example.com;x",
        ],
    )
    def test_that_is_none_is_an_error_that_names_the_field_and_the_value(self, host: str) -> None:
        with pytest.raises(ValueError, match=r"^host: ") as problem:
            base_url(host)
        assert host.split("://")[-1].partition("?")[0].partition("#")[0] in str(problem.value)

    @pytest.mark.parametrize("scheme", ["http", "ftp", "https"])
    def test_that_is_a_whole_webhook_is_not_repeated(self, scheme: str) -> None:
        with pytest.raises(ValueError, match=r"^host: '[a-z]+://example\.com/…' is ") as problem:
            base_url(f"{scheme}://example.com/rest/1/topsecret/?x=1")
        assert "topsecret" not in str(problem.value)

    def test_has_no_path_in_the_field_for_the_scheme(self) -> None:
        with pytest.raises(ValueError, match="schema: 'crm' is neither http nor https"):
            base_url("example.com", schema="crm")

    @pytest.mark.parametrize(
        "host",
        [
            "https://anna:topsecret@example.com",
            "anna:topsecret@example.com",
            "ftp://anna:topsecret@example.com",
            "https://anna:topsecret@example.com:abc",
            "https://anna:topsecret@example.com?x",
            "https://example.com@elsewhere.example",
        ],
    )
    def test_with_a_login_is_an_error_that_does_not_repeat_it(self, host: str) -> None:
        with pytest.raises(ValueError, match=r"^host: .*login") as problem:
            base_url(host)
        assert "topsecret" not in str(problem.value)

    @pytest.mark.parametrize(
        "host",
        [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://0.0.0.0",
            "http://192.168.0.7",
            "http://10.0.0.1:8024",
        ],
    )
    def test_in_plain_http_is_for_this_machine_only(self, host: str) -> None:
        with pytest.raises(ValueError, match=r"^host: .* is plain http"):
            base_url(host)

    def test_in_plain_http_by_the_connections_scheme_is_no_exception(self) -> None:
        with pytest.raises(ValueError, match="is plain http"):
            base_url("example.com", schema="http")


class TestThisMachine:
    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
    def test_is_loopback(self, name: str) -> None:
        assert is_loopback(name)

    @pytest.mark.parametrize("name", ["example.com", "0.0.0.0", "::", "128.0.0.1", "localhost.", "127.1"])  # noqa: S104
    def test_is_nothing_else(self, name: str) -> None:
        assert not is_loopback(name)
