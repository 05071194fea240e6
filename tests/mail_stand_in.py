"""A mail server on loopback that keeps what it is sent."""

from __future__ import annotations

import email
import socketserver
import threading
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default


@dataclass(frozen=True, slots=True)
class Mail:
    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage

    def part(self, kind: str) -> str:
        """The text of the part that is ``html`` or ``plain``."""
        found = self.message.get_body((kind,))
        assert found is not None
        return str(found.get_content())


class MailServer:
    """Use it in a ``with`` block."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 stand-in\r\n")
                sender, recipients = "", []
                while line := self.rfile.readline().strip():
                    word = line.split(b":")[0].upper().split()[0]
                    if word in (b"MAIL", b"RCPT"):
                        address = line.decode().partition("<")[2].partition(">")[0]
                        if line.upper().startswith(b"MAIL"):
                            sender = address
                        else:
                            recipients.append(address)
                    if line.upper() == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = []
                        while (text := self.rfile.readline()) != b".\r\n":
                            lines.append(text.removeprefix(b".") if text.startswith(b"..") else text)
                        message = email.message_from_bytes(b"".join(lines), policy=default)
                        assert isinstance(message, EmailMessage)
                        server.mails.append(Mail(sender, tuple(recipients), message))
                    self.wfile.write(b"221 bye\r\n" if line.upper() == b"QUIT" else b"250 ok\r\n")
                    if line.upper() == b"QUIT":
                        return

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> MailServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
