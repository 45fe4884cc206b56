"""A TCP proxy in front of a server, which can be cut off at an instant."""
import socket
import threading


class Proxy:
    """Forwards every connection to `target`, a port of this machine, until closed."""

    def __init__(self, target):
        self.target = target
        self.lock = threading.Lock()
        self.generation = 0
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut()

    def cut(self):
        """Once this returns, nothing of the connections of before is forwarded; new ones work."""
        with self.lock:
            self.generation += 1
            dead, self.sockets = self.sockets, []
        for sock in dead:
            sock.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target), 10)
            except OSError:
                if self.listener.fileno() < 0:
                    return
                client.close()
                continue
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:  # from here on cut() may close them
                self.sockets += [client, server]
                generation = self.generation
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink, generation),
                                 daemon=True).start()

    def _pump(self, source, sink, generation):
        try:
            while data := source.recv(65536):
                with self.lock:
                    if generation != self.generation:
                        return
                    sink.sendall(data)
        except OSError:
            pass
        for sock in (source, sink):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
