# SPDX-License-Identifier: Apache-2.0
"""What is repeated and what is not, what a failure is called, and that no secret is told."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_provider_chattransfer.exceptions import (
    CredentialsError,
    PlatformError,
    RateLimitError,
    ResponseLostError,
    UnexpectedResponseError,
    UnreachableError,
)
from airflow_provider_chattransfer.platforms.bitrix24.client import Bitrix24Client
from airflow_provider_chattransfer.platforms.bitrix24.commands import Command
from airflow_provider_chattransfer.platforms.reading_age import MAX_READ_AGE_SECONDS
from airflow_provider_chattransfer.platforms.superoffice.auth import Basic, Bearer
from airflow_provider_chattransfer.platforms.superoffice.client import SuperOfficeClient
from airflow_provider_chattransfer.platforms.superoffice.tenant import Site
from airflow_provider_chattransfer.platforms.transport import (
    MAX_ATTEMPTS,
    MAX_HINT_SECONDS,
    Request,
    Transport,
)
from airflow_provider_chattransfer.sandbox.faults import FaultKind
from tests.support.ports import free_port

from .conftest import ClockedSandbox, Script, Scripted

READ = Command("imopenlines.dialog.get", {"CHAT_ID": 101})
MOVE = Command(
    "imopenlines.bot.session.transfer", {"CHAT_ID": 101, "USER_ID": 12, "LEAVE": "N", "CLIENT_ID": "chattransfer"}
)
GATEWAY = ["html_502_before", "html_502_after", "html_503_before", "html_503_after"]
BROKEN = ["drop_before", "drop_after", "truncated_json", *GATEWAY]


class TestARead:
    @pytest.mark.parametrize("kind", BROKEN)
    def test_a_read_is_repeated_after_a_broken_connection_and_a_gateways_page(
        self, stage: ClockedSandbox, kind: str
    ) -> None:
        stage.fault(kind=kind)
        assert stage.webhook().call(READ, repeatable=True)["id"] == 101
        assert stage.asked() == [READ.method] * 2

    def test_a_read_is_repeated_after_query_limit_exceeded(self, stage: ClockedSandbox) -> None:
        stage.reset(bitrix24={"rate": {"per_second": 2, "burst": 1}})
        client = stage.webhook()
        for _ in range(2):
            assert client.call(READ, repeatable=True)["id"] == 101
        assert stage.asked() == [READ.method] * 3
        assert stage.slept == [1.0]

    def test_a_read_is_repeated_after_429_when_the_hint_has_passed(self, stage: ClockedSandbox) -> None:
        stage.reset(superoffice={"rate": 1, "switches": {"retry_after": True}})
        client = stage.web_api()
        for _ in range(2):
            assert client.entity("150").id == "150"  # type: ignore[union-attr]
        assert len(stage.asked("superoffice")) == 3
        assert sum(stage.slept) == pytest.approx(1.0)

    def test_a_read_is_repeated_after_a_429_that_a_gateway_wrote(
        self, stage: ClockedSandbox, script: Script, portal: Bitrix24Client
    ) -> None:
        script.play(Scripted(429, b"<html>", {"Retry-After": "7"}), Scripted.json({"result": True}))
        assert portal.call(READ, repeatable=True) is True
        assert stage.slept == [7.0]

    def test_a_read_is_given_up_after_some_attempts(self, stage: ClockedSandbox) -> None:
        stage.fault(kind="html_502_before", count=100)
        with pytest.raises(ResponseLostError, match="HTTP 502"):
            stage.webhook().call(READ, repeatable=True)
        assert len(stage.asked()) == MAX_ATTEMPTS

    @pytest.mark.parametrize("hint", [{}, {"Retry-After": "30"}])
    def test_a_read_that_meets_503_closes_the_pace_for_all(
        self, stage: ClockedSandbox, script: Script, portal: Bitrix24Client, hint: dict[str, str]
    ) -> None:
        script.play(Scripted(503, b"<html>", hint), Scripted.json({"result": True}))
        begin = stage.now()
        portal.call(READ, repeatable=True)
        assert stage.now() - begin >= float(hint.get("Retry-After", 1.0))

    def test_a_read_does_not_wait_for_a_limit_that_is_hours_away(
        self, stage: ClockedSandbox, script: Script, portal: Bitrix24Client
    ) -> None:
        script.play(Scripted(429, b"", {"Retry-After": str(MAX_HINT_SECONDS + 1)}))
        with pytest.raises(RateLimitError):
            portal.call(READ, repeatable=True)
        assert len(script.heard) == 1
        assert not stage.slept
        script.play(Scripted.json({"result": True}))
        portal.call(READ, repeatable=True)
        assert sum(stage.slept) <= MAX_HINT_SECONDS + 1, "nor does the next one wait for hours"


class TestATransfer:
    @pytest.mark.parametrize("kind", BROKEN)
    def test_a_transfer_is_never_repeated_unseen(self, stage: ClockedSandbox, kind: str) -> None:
        stage.fault(kind=kind)
        with pytest.raises(ResponseLostError):
            stage.webhook().call(MOVE, repeatable=False)
        assert stage.asked() == [MOVE.method]
        assert stage.moved("bitrix24") == (["101"] if FaultKind(kind).applied else [])

    def test_a_transfer_of_superoffice_is_never_repeated_unseen(self, stage: ClockedSandbox) -> None:
        stage.fault(kind="drop_after", service="superoffice")
        client = stage.web_api(Basic("agent7", "Secret7"))
        with pytest.raises(ResponseLostError):
            client.agents("TransferChatSession", body={"ChatSessionId": 150, "ToAssociate": "12"})
        assert stage.asked("superoffice") == ["TransferChatSession"]
        assert stage.moved("superoffice") == ["150"]

    def test_a_transfer_is_repeated_after_query_limit_exceeded_since_it_was_not_carried_out(
        self, stage: ClockedSandbox
    ) -> None:
        stage.reset(bitrix24={"rate": {"per_second": 2, "burst": 1}})
        client = stage.webhook()
        client.call(READ, repeatable=True)
        assert client.call(MOVE, repeatable=False) is True
        assert stage.asked() == [READ.method, MOVE.method, MOVE.method]
        assert stage.moved("bitrix24") == ["101"]

    def test_a_transfer_is_not_repeated_when_the_limit_lasts_for_so_long_that_its_chat_must_be_read_again(
        self, stage: ClockedSandbox
    ) -> None:
        stage.reset(bitrix24={"operating": {"limit": 1.0, "seconds": {MOVE.method: 2.0}}})
        client = stage.webhook()
        assert client.call(MOVE, repeatable=False)
        with pytest.raises(RateLimitError) as limited:
            client.call(MOVE, repeatable=False)
        assert 480 < (limited.value.retry_after or 0) <= 602
        assert stage.asked() == [MOVE.method] * 2
        client.call(READ, repeatable=True)
        assert not stage.slept, "what is not blocked goes on"
        client.make_room([MOVE])
        assert 480 < sum(stage.slept) <= 602


class TestTrouble:
    def test_trouble_of_a_port_where_nobody_listens_is_unreachable(self, stage: ClockedSandbox) -> None:
        client = SuperOfficeClient(
            address=Site(f"http://127.0.0.1:{free_port()}"), auth=Bearer("8A:x"), transport=stage.transport()
        )
        with pytest.raises(UnreachableError, match="nobody listens"):
            client.agents("TransferChatSession", body={})
        assert MAX_READ_AGE_SECONDS / 2 < sum(stage.slept) < 2 * MAX_READ_AGE_SECONDS, (
            "what was not sent may be repeated, but is soon too old"
        )

    def test_trouble_of_an_answer_that_is_too_late_is_interrupted_and_not_repeated(self, stage: ClockedSandbox) -> None:
        stage.fault(kind="delay_after", seconds=0.3)
        webhook = stage.webhook()
        hasty = Bitrix24Client(auth=webhook.auth, transport=stage.transport(read_timeout=0.05))
        with pytest.raises(ResponseLostError, match=r"no whole answer .* in time"):
            hasty.call(MOVE, repeatable=False)
        assert stage.asked() == [MOVE.method]
        assert stage.moved("bitrix24") == ["101"]

    def test_trouble_of_tls_in_the_middle_of_an_answer_is_interrupted(
        self, stage: ClockedSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        certificate = _certificate(tmp_path)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with _tls_server(certificate, answer=b"this is no TLS") as port, pytest.raises(ResponseLostError):
            _post(stage.transport(), f"https://localhost:{port}/")
        assert not stage.slept, "the server may have carried it out"

    def test_trouble_of_a_certificate_that_is_not_trusted_is_unreachable(
        self, stage: ClockedSandbox, tmp_path: Path
    ) -> None:
        trouble = pytest.raises(UnreachableError, match="certificate cannot be verified")
        with _tls_server(_certificate(tmp_path), answer=b"") as port, trouble:
            _post(stage.transport(), f"https://localhost:{port}/")

    def test_trouble_of_an_answer_in_no_known_shape_is_not_understood(
        self, script: Script, portal: Bitrix24Client, stage: ClockedSandbox
    ) -> None:
        script.play(Scripted(200, b"<html>log in</html>"))
        with pytest.raises(UnexpectedResponseError, match="HTTP 200"):
            portal.call(READ, repeatable=True)
        assert len(script.heard) == 1

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_trouble_of_a_portal_that_has_moved_says_so_and_follows_nobody(
        self, script: Script, portal: Bitrix24Client, status: int
    ) -> None:
        script.play(Scripted(status, b"", {"Location": f"{script.url}/elsewhere"}))
        with pytest.raises(CredentialsError, match="moved") as trouble:
            portal.call(READ, repeatable=True)
        assert len(script.heard) == 1, "the secret would go to an address that nobody has checked"
        assert "elsewhere" not in str(trouble.value)


class TestIdentities:
    def test_identities_that_share_a_transport_share_no_cookie(self, script: Script, tenant: SuperOfficeClient) -> None:
        script.play(Scripted(body=b'{"ChatSessionId": 1}', headers={"Set-Cookie": "session=agent7; Path=/"}))
        tenant.entity("1")
        tenant.entity("1")
        assert "Cookie" not in script.heard[1].headers

    def test_identities_are_not_replaced_by_a_netrc_file(
        self, script: Script, stage: ClockedSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        client = SuperOfficeClient(address=Site(script.url), auth=Bearer("8A:x"), transport=stage.transport())
        script.play(Scripted.json({"ChatSessionId": 1}))
        client.entity("1")
        assert script.heard[0].headers["Authorization"] == "Bearer 8A:x"

    def test_identities_name_the_provider_to_the_service(self, script: Script, tenant: SuperOfficeClient) -> None:
        script.play(Scripted.json(None))
        tenant.entity("1")
        assert script.heard[0].headers["User-Agent"].startswith("airflow-provider-chattransfer/")


def _nobody_there(stage: ClockedSandbox) -> Bitrix24Client:
    stage.url = f"http://127.0.0.1:{free_port()}"
    return stage.webhook()


def _faulty(kind: str) -> Callable[[ClockedSandbox], Bitrix24Client]:
    def client(stage: ClockedSandbox) -> Bitrix24Client:
        stage.fault(kind=kind, count=100)
        return stage.webhook()

    return client


def _too_hasty(stage: ClockedSandbox) -> Bitrix24Client:
    stage.fault(kind="delay_after", seconds=0.2)
    return Bitrix24Client(auth=stage.webhook().auth, transport=stage.transport(read_timeout=0.05))


def _limited(stage: ClockedSandbox) -> Bitrix24Client:
    stage.reset(bitrix24={"rate": {"per_second": 0.001, "burst": 1}})
    client = stage.webhook()
    client.call(READ, repeatable=True)
    return client


def _locked(stage: ClockedSandbox) -> Bitrix24Client:
    stage.reset(bitrix24={"chats": [{"id": 101, "owner": 7, "locked_for": 60}]})
    return stage.webhook()


TROUBLE: dict[str, Callable[[ClockedSandbox], Bitrix24Client]] = {
    "nobody listens": _nobody_there,
    "dropped": _faulty("drop_before"),
    "gateway page": _faulty("html_502_before"),
    "too late": _too_hasty,
    "limited": _limited,
    "refused": _locked,
    "wrong credentials": lambda stage: stage.webhook(user=2),
}


class TestASecret:
    @pytest.mark.parametrize("trouble", TROUBLE)
    def test_a_secret_is_in_no_exception_and_no_log_record(
        self, stage: ClockedSandbox, caplog: pytest.LogCaptureFixture, trouble: str
    ) -> None:
        client = TROUBLE[trouble](stage)
        with caplog.at_level(logging.DEBUG), pytest.raises(PlatformError) as caught:
            client.call(MOVE, repeatable=False)
        told = [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value), *_lines(caplog)]
        for text in told:
            assert "secretcode" not in text
            assert "/rest/" not in text

    def test_a_secret_is_in_no_log_record_when_all_is_well(
        self, stage: ClockedSandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            stage.webhook().call(READ, repeatable=True)
        lines = _lines(caplog)
        assert "imopenlines.dialog.get: HTTP 200" in lines
        assert not any("secretcode" in line or "/rest/" in line for line in lines)

    def test_a_secret_of_others_is_theirs_to_log(self, stage: ClockedSandbox, caplog: pytest.LogCaptureFixture) -> None:
        stage.webhook().call(READ, repeatable=True)
        with caplog.at_level(logging.DEBUG):
            requests.get(f"{stage.url}/sandbox/state", timeout=10)
        assert any("/sandbox/state" in line for line in _lines(caplog))

    def test_a_secret_is_in_no_repr(self) -> None:
        request = Request(
            method="batch",
            url="https://example.com/rest/1/secretcode/batch",
            json={"CLIENT_ID": "secretbot"},
            headers={"Authorization": "secretheader"},
        )
        assert "batch" in repr(request)
        assert "secret" not in repr(request)
        assert "secret" not in repr(Basic("agent7", "secret"))
        assert "secret" not in repr(Bearer("secret"))

    def test_a_secret_is_not_in_the_repr_of_a_webhook(self, stage: ClockedSandbox) -> None:
        told = repr(stage.webhook(bot="hiddenbot").auth)
        assert "secretcode" not in told
        assert "hiddenbot" not in told


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged by the code under test; the sandbox serves in this process, too."""
    return [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]


def _post(transport: Transport, url: str) -> None:
    transport.send(Request(method="transfer", url=url, json={"CHAT_ID": 1}), lambda response: response)


def _certificate(folder: Path) -> Path:
    """Return a certificate for localhost with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def _tls_server(certificate: Path, *, answer: bytes) -> Iterator[int]:
    """Yield a server that shakes hands, reads a request, and puts ``answer`` on the wire as it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve() -> None:
        while not over.is_set():
            with (
                suppress(OSError),
                listener.accept()[0] as plain,
                context.wrap_socket(plain.dup(), server_side=True) as secure,
            ):
                secure.recv(65536)
                plain.sendall(answer)

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            over.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join(timeout=5)
