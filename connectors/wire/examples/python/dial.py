"""Dials out to the bus and serves the wire contract on the connection: no port is opened. Needs `h2` (requirements.txt).

    python3 dial.py --bus bus.example:8444 --name people-1 --file people.sqlite \\
        --certificate host.pem --key host.key --authority bus-ca.pem

One task reads the connection, others answer; what blocks, such as SQLite, runs in threads. A bus of several nodes is dialled
once for each.
"""

import argparse
import asyncio
import random
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from people import CAPABILITIES, People
from wire import Connector

# The bus asks for a sign of life every ten seconds: silence for longer than this is a dead line.
SILENCE_MAX = 40


class Line:
    """One connection: the roles are turned round, so this is the serving side of HTTP/2."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connector: Connector):
        self.reader, self.writer, self.connector = reader, writer, connector
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.requests: dict[int, tuple[dict, bytearray]] = {}
        self.answers: dict[int, asyncio.Task] = {}
        # Set whenever the bus said something: it may let us send more.
        self.heard = asyncio.Event()

    async def serve(self):
        self.http.initiate_connection()
        self.flush()
        try:
            while data := await asyncio.wait_for(self.reader.read(65536), SILENCE_MAX):
                for event in self.http.receive_data(data):
                    self.take(event)
                self.flush()
                self.heard.set()
        finally:
            for answer in self.answers.values():
                answer.cancel()
        raise ConnectionError("the bus ended the connection")

    def take(self, event):
        match event:
            case h2.events.RequestReceived():
                self.requests[event.stream_id] = (dict(event.headers), bytearray())
            case h2.events.DataReceived():
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.requests[event.stream_id][1].extend(event.data)
            case h2.events.StreamEnded():
                answer = asyncio.create_task(self.answer(event.stream_id, *self.requests.pop(event.stream_id)))
                self.answers[event.stream_id] = answer
                answer.add_done_callback(lambda _: self.answers.pop(event.stream_id, None))
            case h2.events.StreamReset():
                # Nobody waits for the answer any more.
                self.requests.pop(event.stream_id, None)
                if answer := self.answers.get(event.stream_id):
                    answer.cancel()

    async def answer(self, stream: int, headers: dict, body: bytearray):
        path = headers[":path"]
        status, media_type, answer = await asyncio.to_thread(self.connector.answer, path, headers, bytes(body))
        head = [(":status", str(status)), *([("content-type", media_type)] if media_type else [])]
        if status != 204:
            head.append(("content-length", str(len(answer))))
        self.http.send_headers(stream, head, end_stream=not answer)
        while answer:
            room = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size)
            if room == 0:
                self.heard.clear()
                await self.heard.wait()
                continue
            piece, answer = answer[:room], answer[room:]
            self.http.send_data(stream, piece, end_stream=not answer)
            self.flush()
        self.flush()
        await self.writer.drain()

    def flush(self):
        if data := self.http.data_to_send():
            self.writer.write(data)


async def once(options, connector: Connector):
    context = ssl.create_default_context(cafile=options.authority)
    context.load_cert_chain(options.certificate, options.key)
    context.set_alpn_protocols(["rabita-wire"])
    host, _, port = options.bus.rpartition(":")
    opening = asyncio.open_connection(host, int(port), ssl=context, server_hostname=options.server_name or host)
    reader, writer = await asyncio.wait_for(opening, 10)
    try:
        if writer.get_extra_info("ssl_object").selected_alpn_protocol() != "rabita-wire":
            raise ConnectionError("this is no listener for hosts")
        print(f"connected to {options.bus}", flush=True)
        await Line(reader, writer, connector).serve()
    finally:
        writer.close()


async def keep(options, connector: Connector):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32))
    pause = 0.2
    while True:
        began = time.monotonic()
        try:
            await once(options, connector)
        except (OSError, asyncio.TimeoutError, h2.exceptions.ProtocolError) as error:
            print(f"the line to {options.bus} is down: {error or 'it is silent'}", flush=True)
        # Backs off, so that a bus that comes back is not overrun; a line that held begins anew.
        pause = 0.2 if time.monotonic() - began > 30 else min(pause * 2, 30)
        await asyncio.sleep(pause * random.uniform(0.5, 1))


def main():
    options = argparse.ArgumentParser()
    for name in ["--bus", "--name", "--file", "--certificate", "--key", "--authority"]:
        options.add_argument(name, required=True)
    options.add_argument("--registry", default="people")
    options.add_argument("--server-name", help="the name in the bus's certificate, where it is not the address's")
    options = options.parse_args()
    asyncio.run(keep(options, Connector(options.name, options.registry, "people", People(options.file), CAPABILITIES)))


if __name__ == "__main__":
    main()
