# SPDX-License-Identifier: Apache-2.0
"""Where a secret may be sent, and where not."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_chattransfer.platforms import address
from airflow_provider_chattransfer.platforms.address import base_url, canonical_host, is_loopback, may_lead_to

LOCAL = "https://127.0.0.1:8443"
PORTAL = "https://example.bitrix24.com"


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
    def test_an_address_is_https_unless_it_says_otherwise(self, host: str, url: str) -> None:
        assert base_url(host) == url

    def test_an_address_takes_port_and_scheme_from_the_connections_own_fields(self) -> None:
        assert base_url("127.0.0.1", port=8024, schema="http") == "http://127.0.0.1:8024"

    @pytest.mark.parametrize(("host", "port"), [("example.com/crm", 443), ("example.com:443/crm", None)])
    def test_an_address_is_the_same_with_the_usual_port(self, host: str, port: int | None) -> None:
        assert base_url(host, port=port) == "https://example.com/crm"

    def test_an_address_prefers_what_stands_in_the_host(self) -> None:
        assert base_url("https://example.com:1", port=2, schema="http") == "https://example.com:1"

    @pytest.mark.parametrize("host", [None, "", "  ", "/"])
    def test_a_missing_address_is_an_error_that_names_the_field(self, host: str | None) -> None:
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
    def test_an_invalid_address_is_an_error_that_names_the_field_and_the_value(self, host: str) -> None:
        with pytest.raises(ValueError, match=r"^host: ") as problem:
            base_url(host)
        assert host.split("://")[-1].partition("?")[0].partition("#")[0] in str(problem.value)

    @pytest.mark.parametrize("scheme", ["http", "ftp", "https"])
    def test_a_whole_webhook_in_the_host_is_not_repeated(self, scheme: str) -> None:
        with pytest.raises(ValueError, match=r"^host: '[a-z]+://example\.com/…' is ") as problem:
            base_url(f"{scheme}://example.com/rest/1/topsecret/?x=1")
        assert "topsecret" not in str(problem.value)

    def test_an_address_has_no_path_in_the_field_for_the_scheme(self) -> None:
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
    def test_an_address_with_a_login_is_an_error_that_does_not_repeat_it(self, host: str) -> None:
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
    def test_an_address_in_plain_http_is_for_this_machine_only(self, host: str) -> None:
        with pytest.raises(ValueError, match=r"^host: .* is plain http"):
            base_url(host)

    def test_an_address_in_plain_http_by_the_connections_scheme_is_no_exception(self) -> None:
        with pytest.raises(ValueError, match="is plain http"):
            base_url("example.com", schema="http")

    @pytest.mark.parametrize(
        ("one", "spellings"),
        [
            (
                "https://example.com",
                ["EXAMPLE.com", "example.com.", "https://example.com:443", "HTTPS://Example.Com:/"],
            ),
            ("https://xn--bcher-kva.example", ["bücher.example", "BÜCHER.example.", "XN--BCHER-KVA.example"]),
            ("https://xn--bcher-kva.example", ["bu\u0308cher.example", "bücher。example", "\uff42ücher.example"]),
            ("https://xn--strae-oqa.example", ["straße.example", "STRAẞE.example"]),
            ("https://xn--e1afmkfd.xn--p1ai", ["пример.рф", "ПРИМЕР.РФ", "пример.xn--p1ai"]),
            ("https://[::1]", ["[::1]", "[0:0:0:0:0:0:0:1]", "https://[0000::0001]:443/"]),
            ("https://[2001:db8::1]:8443", ["[2001:DB8:0:0::1]:8443"]),
            ("https://127.0.0.1", ["127.0.0.1.", "[::ffff:127.0.0.1]", "[::FFFF:7F00:1]", "\uff11\uff12\uff17.0.0.1"]),
            ("https://a.example/crm", ["a.example/crm/", "a.example//crm//", "A.example/crm"]),
            ("https://a.example/Super%20Office", ["a.example/Super Office", "a.example/Super%20Office/"]),
            ("http://localhost:8024", ["http://LOCALHOST:8024", "http://localhost.:8024/", "HTTP://localhost:8024"]),
            ("http://127.0.0.1", ["http://127.0.0.1:80", "http://127.0.0.1:80/"]),
        ],
    )
    def test_an_address_is_the_same_in_whatever_way_it_is_written(self, one: str, spellings: list[str]) -> None:
        assert {base_url(each) for each in spellings} == {one}
        assert base_url(one) == one

    @pytest.mark.parametrize(
        "host",
        [
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "127.0.0.01",
            "1.2.3.4.5",
            "256.0.0.1",
            "example.1",
            "[::1",
            "::1",
            "[127.0.0.1]",
            "[::1%25eth0]",
            "[fe80::1%eth0]",
            "[example.com]",
            "[::1]8443",
            "a..example",
            ".example",
            "example..",
            "-a.example",
            "a-.example",
            "exa mple.com",
            "exa\tmple.com",
            "example.com\r\nX: y",
            "example\u200b.com",
            "example.com\\rest",
            "example%2ecom",
            "https:///rest",
            "xn--a",
            "xn--bcher-kva\u00ad\u2028.example",
            "\u2488example.com",
            "example.com:0",
            "example.com:65536",
            "example.com:-1",
            "example.com:+1",
            "example.com:\uff18\uff10",
            "example.com:1:2",
            "a.example/../b",
            "a.example/./b",
            "a.example/b\\c",
            "a" * 64 + ".example",
            ".".join(["a" * 60] * 5),
            "ä" * 60 + ".example",
            "a" * 100_000,
            "ä" * 100_000,
        ],
    )
    def test_an_address_that_programs_read_differently_is_refused(self, host: str) -> None:
        for text in (host, f"{host}/rest/1/topsecret"):
            with pytest.raises(ValueError, match=r"^host: .* is not the address of a service$") as problem:
                base_url(text)
            assert "topsecret" not in str(problem.value)
            assert len(str(problem.value)) < 300

    @pytest.mark.parametrize("port", [65536, -1, "x", 1.5, True])
    def test_an_address_has_no_port_that_cannot_be(self, port: object) -> None:
        with pytest.raises(ValueError, match=r"^port: "):
            base_url("example.com", port=port)

    @pytest.mark.parametrize("mark", ["/", "\\", "?", "#", "\uff0f", "\uff1f", "\uff03", "%2F", "℀", "\u2044rest/"])
    def test_a_wrong_address_is_shown_up_to_the_end_of_its_host(self, mark: str) -> None:
        with pytest.raises(ValueError, match=r"^host: ") as problem:
            base_url(f"ftp://example.com{mark}topsecret")
        assert "topsecret" not in str(problem.value)

    @pytest.mark.parametrize("at", ["@", "\uff20", "﹫"])
    def test_an_address_with_a_login_behind_any_sign_does_not_show_it(self, at: str) -> None:
        with pytest.raises(ValueError, match=r"^host: .*login") as problem:
            base_url(f"anna:topsecret{at}example.com")
        assert "topsecret" not in str(problem.value)

    def test_an_address_in_the_field_for_the_scheme_shows_no_secret(self) -> None:
        with pytest.raises(ValueError, match=r"^schema: 'rest' is neither") as problem:
            base_url("example.com", schema="rest/1/topsecret")
        assert "topsecret" not in str(problem.value)


class TestWhereAServiceMayLead:
    @pytest.mark.parametrize(
        "name",
        [
            "localhost",
            "localhost.",
            "LOCALHOST",
            "localhost.localdomain",
            "portal.localhost",
            "ip6-localhost",
            "ip6-loopback",
            "host.docker.internal",
            "127.0.0.1",
            "127.8.9.10",
            "[::1]",
            "[0:0::1]",
            "[::ffff:127.0.0.1]",
            socket.gethostname(),
        ],
    )
    def test_a_service_may_lead_to_this_machine_only_from_a_portal_on_it(self, name: str) -> None:
        told = base_url(name)
        assert not may_lead_to(told, known=PORTAL)
        assert may_lead_to(told, known=LOCAL)

    @pytest.mark.parametrize(
        ("name", "leads"),
        [("one", False), ("OTHER.", False), ("xn--e1afmkfd.xn--p1ai", False), ("six", False), ("far", True),
         ("commented", True), ("new.bitrix24.com", True)],
    )  # fmt: skip
    def test_a_service_may_not_lead_to_a_name_of_this_machine_in_its_hosts_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, leads: bool
    ) -> None:
        hosts = tmp_path / "hosts"
        hosts.write_bytes(
            "127.0.1.1 one Other # commented\n\n::1\tsix\n::ffff:127.0.0.1 пример.рф\n192.0.2.1 far\nnone of these\n"
            "#127.0.0.1 commented\n127.0.0.1\n".encode()
            + b"\xff\xfe \xff\n"
        )
        monkeypatch.setattr(address, "HOSTS", hosts)
        assert may_lead_to(base_url(name), known=PORTAL) is leads

    def test_this_machines_own_address_is_known_without_asking(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[object] = []
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: asked.append(args))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            try:
                any_socket.connect(("192.0.2.1", 9))
            except OSError:
                pytest.skip("this machine has no address but loopback")
            own = any_socket.getsockname()[0]
        assert not may_lead_to(f"https://{own}", known=PORTAL)
        assert may_lead_to("https://192.0.2.1", known=PORTAL)
        assert asked == []

    @pytest.mark.parametrize(
        "name",
        [
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[fe80::1]",
            "0.0.0.0",  # noqa: S104
            "[::]",
            "224.0.0.1",
            "[ff02::1]",
            "255.255.255.255",
            "[64:ff9b::a9fe:a9fe]",
        ],
    )
    @pytest.mark.parametrize("known", [PORTAL, LOCAL])
    def test_a_service_may_not_lead_to_an_unusable_address(self, name: str, known: str) -> None:
        assert not may_lead_to(base_url(name), known=known)

    @pytest.mark.parametrize("name", ["new.bitrix24.com", "10.0.0.7", "192.168.0.7", "[2001:4860::1]", "8.8.8.8"])
    def test_a_service_may_lead_to_any_other_address(self, name: str) -> None:
        assert may_lead_to(base_url(name), known=PORTAL)

    def test_the_address_that_the_user_gave_is_allowed(self) -> None:
        assert may_lead_to("https://169.254.0.7", known="https://169.254.0.7:8443")


class TestAHost:
    @given(st.text(max_size=300) | st.from_regex(r"[\[\]a-z0-9.:%@/\\-]{0,40}"))
    def test_a_host_has_one_spelling_or_is_refused(self, text: str) -> None:
        known = canonical_host(text)
        if known is not None:
            assert known.isascii()
            assert len(known) <= 253
            assert canonical_host(f"[{known}]" if ":" in known else known) == known

    @given(st.text(max_size=300))
    def test_an_invalid_host_raises_no_other_error(self, text: str) -> None:
        with suppress(ValueError):
            url = base_url(text)
            assert base_url(url) == url


class TestThisMachine:
    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
    def test_this_machine_is_every_loopback_address(self, name: str) -> None:
        assert is_loopback(name)

    @pytest.mark.parametrize("name", ["example.com", "0.0.0.0", "::", "128.0.0.1", "localhost.", "127.1"])  # noqa: S104
    def test_no_other_address_is_this_machine(self, name: str) -> None:
        assert not is_loopback(name)
