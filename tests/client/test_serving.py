"""`snakepit serve` and `connect`: a bridge that others may reach, and the same client on it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from waiting import all_gone, below, eventually, run_async

import snakepit_jupyter as snakepit
from snakepit_jupyter import AsyncClient, Client, GrpcUnavailable, InvalidConfig
from snakepit_jupyter.client import default
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as pb_grpc

TESTS = Path(__file__).parent.parent
PROGRAM = [str(Path(sys.executable).with_name("snakepit")), "serve"]


@dataclass
class Served:
    """A running `snakepit serve`, and what it printed."""

    process: subprocess.Popen[str]
    lines: list[str]

    @property
    def address(self) -> str:
        return self.lines[0].removeprefix("listening on ")

    @property
    def token_file(self) -> Path:
        found = re.match(r"token in (\S+) ", self.lines[1])
        assert found
        return Path(found[1])

    def leave(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(15)


@contextmanager
def served(*words: str, cwd: Path = TESTS) -> Iterator[Served]:
    process = subprocess.Popen(
        [*PROGRAM, "--pool-size", "1", "--adapter", "tools_for_tests:Streams", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert process.stdout is not None
    try:
        yield Served(process, [process.stdout.readline().strip() for _ in range(3)])
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=15)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served("--listen", "127.0.0.1:0") as running:
        yield running


def test_it_prints_where_it_listens_and_where_the_token_lies(bridge: Served) -> None:
    assert re.fullmatch(r"listening on 127\.0\.0\.1:[1-9]\d+", bridge.lines[0])
    assert bridge.token_file.stat().st_mode & 0o077 == 0
    assert bridge.token_file.parent.stat().st_mode & 0o077 == 0
    assert len(bridge.token_file.read_text().strip()) >= 32
    assert bridge.lines[2].endswith(f'connect("{bridge.address}", token_file="{bridge.token_file}")')


def test_any_grpc_client_can_drive_it(bridge: Served) -> None:
    metadata = (("authorization", f"Bearer {bridge.token_file.read_text().strip()}"),)
    with grpc.insecure_channel(bridge.address) as channel:
        stub = pb_grpc.BridgeServiceStub(channel)
        assert stub.Ping(pb.PingRequest(message="hi"), metadata=metadata).message == "pong: hi"
        stub.InitializeSession(pb.InitializeSessionRequest(session_id="s"), metadata=metadata)
        request = pb.ExecuteToolRequest(session_id="s", tool_name="count")
        assert [chunk.is_final for chunk in stub.ExecuteStreamingTool(request, metadata=metadata)] == [
            False,
            False,
            True,
        ]


def test_connect_gives_the_same_client_and_stopping_it_leaves_the_bridge_alone(bridge: Served) -> None:
    with Client.connect(bridge.address, token_file=bridge.token_file) as client:
        assert client.execute("ping")["message"] == "pong: ping"
        client.register_host_tool(lambda: None, name="mine")
        run = client.execute_stream("count", {"count": 5})
        assert [chunk["number"] for chunk in run] == [1, 2, 3, 4, 5]
        run_id = run.run_id
    with Client.connect(bridge.address, bridge.token_file.read_text().strip()) as second:
        assert second.find_run(run_id).result()["number"] == 5


def test_asyncio_programs_connect_too(bridge: Served) -> None:
    async def scene() -> None:
        async with await AsyncClient.connect(bridge.address, token_file=bridge.token_file) as client:
            assert [chunk["number"] async for chunk in await client.execute_stream("count")] == [1, 2, 3]

    run_async(scene())


def test_two_clients_have_their_own_host_tools(bridge: Served) -> None:
    with (
        Client.connect(bridge.address, token_file=bridge.token_file) as one,
        Client.connect(bridge.address, token_file=bridge.token_file) as two,
    ):
        assert one._core.client_id != two._core.client_id


def test_the_modules_own_functions_use_the_bridge_that_was_connected(
    bridge: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default, "_client", None)
    client = snakepit.connect(bridge.address, token_file=bridge.token_file)
    try:
        assert snakepit.execute("ping")["message"] == "pong: ping"
        assert default.default_client() is client
        with pytest.raises(snakepit.AlreadyStarted):
            snakepit.connect(bridge.address, token_file=bridge.token_file)
        with pytest.raises(snakepit.AlreadyStarted):
            snakepit.start(pool_size=3)
    finally:
        client.stop()


def test_a_wrong_token_is_one_clear_error(bridge: Served) -> None:
    with pytest.raises(GrpcUnavailable, match="the bridge refuses this token"):
        Client.connect(bridge.address, token="a guess")


def test_nobody_there_is_one_clear_error() -> None:
    with pytest.raises(GrpcUnavailable, match="does not answer"):
        Client.connect("127.0.0.1:1", token="any")


@pytest.mark.parametrize(
    ("address", "token", "file", "message"),
    [
        ("nowhere", "t", None, "is no address of a bridge"),
        ("127.0.0.1:5000", None, None, "give the bridge's token"),
        ("127.0.0.1:5000", "t", "f", "give the bridge's token"),
        ("127.0.0.1:5000", None, "/no/such/file", "cannot be read"),
        ("127.0.0.1:5000", None, 5, "5 is no file"),
        ("127.0.0.1:5000", None, "a\0b", "is no file"),
        ("127.0.0.1:5000", None, os.devnull, "what /dev/null holds is no token"),
        ("127.0.0.1:5000", 5, None, "the token is no token"),
        ("127.0.0.1:5000", "", None, "the token is no token"),
        ("127.0.0.1:5000", "a\nb", None, "the token is no token"),
        ("127.0.0.1:5000", "tökén", None, "the token is no token"),
        (5, "t", None, "5 is no address of a bridge"),
    ],
)
def test_what_cannot_be_a_bridge_is_refused(address: Any, token: Any, file: Any, message: str) -> None:
    with pytest.raises(InvalidConfig, match=message) as caught:
        Client.connect(address, token, token_file=file)
    assert token is None or str(token) not in caught.value.hint.split()


def test_a_file_that_is_no_text_holds_no_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidConfig, match="is no token of a bridge"):
        Client.connect("127.0.0.1:5000", token_file=tmp_path / "token")


@pytest.mark.parametrize("text", ["", "-----BEGIN PRIVATE KEY-----"])
def test_a_file_without_a_certificate_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "certificate").write_text(text)
    with pytest.raises(InvalidConfig, match="there is no certificate in"):
        Client.connect("127.0.0.1:5000", "t", certificate=tmp_path / "certificate")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_workers_and_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    with served("--listen", f"unix:{tmp_path}/b.sock") as running:
        token_file = running.token_file
        with Client.connect(running.address, token_file=token_file) as client:
            client.execute("ping")
        processes = below(running.process.pid)
        assert len(processes) == 2, "the bridge and its worker"
        assert running.leave(number) == 0
        all_gone(processes)
        assert not token_file.exists()
        assert not token_file.parent.exists()


def test_a_bridge_that_dies_ends_the_command_with_an_error(tmp_path: Path) -> None:
    with served("--listen", f"unix:{tmp_path}/b.sock", "--token-file", str(tmp_path / "token")) as running:
        assert running.token_file == tmp_path / "token"
        bridge_pid = below(running.process.pid)[0]
        os.kill(bridge_pid, signal.SIGKILL)
        assert running.process.wait(15) == 1
        assert running.process.stderr is not None
        assert "the bridge has ended by itself" in running.process.stderr.read()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--listen", "0.0.0.0:0"], "can be reached from other machines"),
        (["--listen", "[::]:0"], "can be reached from other machines"),
        (["--listen", "127.0.0.1:0", "--adapter", "no_such_module:Class"], "cannot be imported"),
        (["--listen", "127.0.0.1:0", "--token-file", "/no/such/directory/token"], "cannot be written"),
        (["--listen", "0.0.0.0:0", "--tls-certificate", "/no/such", "--tls-key", "/no/such"], "cannot be read"),
        (["--listen", "unix:/no/such/directory/b.sock"], "cannot listen on"),
        (["--listen", "localhost:99999"], "with a port from 0 to 65,535"),
        (["--listen", "localhost:-1"], "with a port from 0 to 65,535"),
        (["--listen", "unix:"], "Write unix:PATH or HOST:PORT"),
        (["--listen", "127.0.0.1:0", "--tls-certificate", "c.pem"], "there is a certificate without its key"),
        (["--listen", "127.0.0.1:0", "--tls-key", "k.pem"], "there is a key without its certificate"),
    ],
)
def test_what_cannot_be_served_is_one_clear_error(words: list[str], message: str) -> None:
    done = subprocess.run(
        [*PROGRAM, "--pool-size", "1", *words], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode in {1, 2}
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_port_that_is_taken_is_one_clear_error(bridge: Served) -> None:
    done = subprocess.run(
        [*PROGRAM, "--listen", bridge.address], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert f"cannot listen on {bridge.address}" in done.stderr


# Beyond this machine.


def make_certificate(directory: Path) -> tuple[Path, Path, Path]:
    """A certificate, its key, and what it is signed by."""
    files = directory / "certificate.pem", directory / "key.pem", directory / "authority.pem"
    authority = trustme.CA()
    made = authority.issue_cert("localhost", "0.0.0.0")
    made.cert_chain_pems[0].write_to_path(str(files[0]))
    made.private_key_pem.write_to_path(str(files[1]))
    authority.cert_pem.write_to_path(str(files[2]))
    return files


def test_with_tls_it_may_be_open_to_others_and_errors_that_leave_show_no_contents(tmp_path: Path) -> None:
    certificate, key, authority = make_certificate(tmp_path)
    tls = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with served("--listen", "0.0.0.0:0", *tls, "--adapter", "tools_for_tests:Failures") as running:
        port = running.address.rpartition(":")[2]
        with Client.connect(f"localhost:{port}", token_file=running.token_file, certificate=authority) as client:
            assert client.execute("ping")["message"] == "pong: ping"
            with pytest.raises(snakepit.ToolError) as caught:
                client.execute("raise_deeply", {"message": "password='swordfish' for sk-abcdefghijklmnop"})
            assert caught.value.remote_type == "ValueError"
            assert "swordfish" not in str(caught.value)
            assert "sk-abcdefghijklmnop" not in str(caught.value)
        with pytest.raises(GrpcUnavailable):
            Client.connect(f"localhost:{port}", token_file=running.token_file)


def test_what_it_prints_for_python_connects_also_with_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / 'a "b" c'
    place.mkdir()
    certificate, key, _ = make_certificate(place)
    monkeypatch.setattr(default, "_client", None)
    with served("--listen", "localhost:0", "--tls-certificate", str(certificate), "--tls-key", str(key)) as running:
        statement = running.lines[2].removeprefix("in Python: ")
        assert "certificate=" in statement
        client = eval(statement, {"snakepit_jupyter": snakepit})
        assert client.execute("ping")["message"] == "pong: ping"
        client.stop()


def test_what_this_machine_trusts_is_trusted_if_no_certificate_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key, authority = make_certificate(tmp_path)
    tls = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with served("--listen", "localhost:0", *tls) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing"))
        with pytest.raises(GrpcUnavailable):
            Client.connect(running.address, token_file=running.token_file, certificate="")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        with Client.connect(running.address, token_file=running.token_file, certificate="") as client:
            assert client.execute("ping")["message"] == "pong: ping"
        directory = tmp_path / "trusted"
        directory.mkdir()
        (directory / "12345678.0").symlink_to(authority)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing"))
        monkeypatch.setenv("SSL_CERT_DIR", str(directory))
        with Client.connect(running.address, token_file=running.token_file, certificate="") as client:
            assert client.execute("ping")["message"] == "pong: ping"


def leak() -> None:
    raise ValueError("password='swordfish'")


@pytest.mark.parametrize(("host", "is_redacted"), [("0.0.0.0", True), ("localhost", False)])
def test_what_a_function_of_this_process_raises_is_redacted_if_it_leaves_the_machine(
    tmp_path: Path, host: str, is_redacted: bool
) -> None:
    certificate, key, authority = make_certificate(tmp_path)
    tls = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with served("--listen", "0.0.0.0:0", *tls, "--adapter", "client.host_callers:HostCallers") as running:
        address = f"{host}:{running.address.rpartition(':')[2]}"
        with Client.connect(address, token_file=running.token_file, certificate=authority) as client:
            client.register_host_tool(leak)
            message, trace = client.execute("ask_and_tell", {"name": "leak"})
    assert message.startswith("ValueError: password=")
    assert ("swordfish" not in message) is is_redacted
    assert ("swordfish" not in trace) is is_redacted


def test_why_no_worker_can_be_started_leaves_without_its_secrets_too(tmp_path: Path) -> None:
    certificate, key, authority = make_certificate(tmp_path)
    adapter = tmp_path / "changing_adapter.py"
    adapter.write_text("from tools_for_tests import Failures\n")
    tls = ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with served("--listen", "0.0.0.0:0", *tls, "--adapter", "changing_adapter:Failures", cwd=tmp_path) as running:
        port = running.address.rpartition(":")[2]
        with Client.connect(f"localhost:{port}", token_file=running.token_file, certificate=authority) as client:
            adapter.write_text("raise RuntimeError(\"password='swordfish'\")\n")
            with pytest.raises(snakepit.WorkerCrashed):
                client.execute("die_at_once")
            failure = eventually(lambda: client.status().failure)
            assert failure is not None
            assert failure.code == "worker_start_failed"
            assert "RuntimeError" in failure.message
            assert "swordfish" not in f"{failure.message}{failure.hint}{failure.remote_traceback}"


def test_losing_the_bridge_is_one_clear_error_and_it_can_be_connected_again(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/b.sock"
    with served("--listen", address) as running:
        client = Client.connect(running.address, token_file=running.token_file)
        run = client.execute_stream("endless", {"path": str(tmp_path / "end")})
        assert running.leave() == 0
    with pytest.raises(GrpcUnavailable) as caught:
        client.execute("ping")
    assert "start it again with `snakepit serve`, then connect again" in caught.value.hint
    client.stop()
    with pytest.raises(GrpcUnavailable) as caught:
        run.result()
    assert "starts a new one" not in caught.value.hint
    with served("--listen", address) as running, Client.connect(address, token_file=running.token_file) as again:
        assert again.execute("ping")["message"] == "pong: ping"
