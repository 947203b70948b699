#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""python_interop.py - Python's grpcio, on code generated from our .proto files

Needs Debian's python3-grpcio, python3-protobuf, protobuf-compiler and protobuf-compiler-grpc.
"""
import os
import queue
import subprocess
import sys
import time
import unittest

from interop import PROTO, SUPPORT, InteropTestCase, wait_until
from fakecase import main

try:
    import grpc
    from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, message_factory
except ImportError as failure:
    sys.exit("%s: install the packages of the section interop in packaging/dependencies" % failure)

GENERATED = os.path.join(os.environ["INTEROP_DIR"], "python")
# Folder of the file, its name in the generated code: "grpc" itself is the library's.
SOURCES = (
    (SUPPORT, "echo.proto"),
    (PROTO, "ksm.proto"),
    (PROTO, "throttler.proto"),
    (PROTO, "trace.proto"),
    (PROTO, "virtksm.proto"),
    ("wire_health=" + PROTO + "/grpc/health/v1", "wire_health/health.proto"),
    ("wire_v1=" + PROTO + "/grpc/reflection/v1", "wire_v1/reflection.proto"),
    ("wire_v1alpha=" + PROTO + "/grpc/reflection/v1alpha", "wire_v1alpha/reflection.proto"),
)


def generate():
    """Code for messages and stubs, as the compiler and grpcio's plug-in make it."""
    os.makedirs(GENERATED, exist_ok=True)
    plugin = subprocess.run(["sh", "-c", "command -v grpc_python_plugin"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.strip()
    for folder, name in SOURCES:
        subprocess.run(["protoc", "-I" + folder, "-I" + os.environ["PROTOBUF_INCLUDE_DIR"],
                        "--plugin=protoc-gen-grpc_python=" + plugin, "--python_out=" + GENERATED,
                        "--grpc_python_out=" + GENERATED, name], check=True)
    sys.path.insert(0, GENERATED)


generate()
import echo_pb2  # noqa: E402
import echo_pb2_grpc  # noqa: E402
import ksm_pb2_grpc  # noqa: E402
import throttler_pb2  # noqa: E402
import throttler_pb2_grpc  # noqa: E402
import virtksm_pb2  # noqa: E402
import virtksm_pb2_grpc  # noqa: E402
from wire_health import health_pb2, health_pb2_grpc  # noqa: E402
from wire_v1 import reflection_pb2 as v1, reflection_pb2_grpc as v1_grpc  # noqa: E402
from wire_v1alpha import reflection_pb2 as v1alpha, reflection_pb2_grpc as v1alpha_grpc  # noqa: E402

Request = echo_pb2.EchoRequest
MIB = 1 << 20
SECONDS = 20


class Talk:
    """Requests of a stream, given one by one."""

    def __init__(self):
        self.queue = queue.Queue()

    def say(self, message):
        self.queue.put(message)

    def end(self):
        self.queue.put(None)

    def __iter__(self):
        return self

    def __next__(self):
        message = self.queue.get()
        if message is None:
            raise StopIteration
        return message


class ChannelTestCase(InteropTestCase):

    def channel(self, path, **options):
        """A connection of its own: channels to one address would share one."""
        options = {"grpc.use_local_subchannel_pool": 1, "grpc.max_send_message_length": 64 * MIB,
                   **{name.replace("__", "."): value for name, value in options.items()}}
        channel = grpc.insecure_channel("unix://" + path, options=list(options.items()))
        self.addCleanup(channel.close)
        return channel

    def assert_fails(self, code, call, *args, text="", **options):
        with self.assertRaises(grpc.RpcError) as caught:
            result = call(*args, **options)
            if hasattr(result, "__next__"):
                list(result)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        self.assertIn(text, caught.exception.details())


class CallTypes(ChannelTestCase):

    def stub(self, **options):
        return echo_pb2_grpc.EchoStub(self.channel(self.echo().path, **options))

    def test_unary(self):
        stub = self.stub()
        for text in "", "hi", "\u00e4\u4e2d\U0001f600", "x" * 100000:
            self.assertEqual(stub.Unary(Request(text=text)).text, text)

    def test_server_stream(self):
        replies = list(self.stub().Split(Request(count=5000, size_bytes=2000)))
        self.assertEqual([reply.index for reply in replies], list(range(5000)))
        self.assertTrue(all(len(reply.padding) == 2000 for reply in replies))

    def test_client_stream(self):
        texts = ["part %d, " % i for i in range(1000)]
        reply = self.stub().Join(Request(text=text) for text in texts)
        self.assertEqual(reply.text, "".join(texts))
        self.assertEqual(self.stub().Join(iter(())).text, "")

    def test_bidirectional_stream(self):
        talk = Talk()
        replies = self.stub().Chat(talk)
        for i in range(100):  # by turns: neither side waits for the end of the other
            talk.say(Request(text="turn %d" % i))
            self.assertEqual(next(replies).text, "turn %d" % i)
        talk.end()
        self.assertEqual(list(replies), [])

    def test_two_hundred_streams_at_the_same_time(self):
        stub = self.stub()
        talks = [Talk() for _ in range(200)]
        streams = [stub.Chat(talk) for talk in talks]
        for turn in range(3):
            for i, talk in enumerate(talks):
                talk.say(Request(text="%d.%d" % (turn, i)))
            for i, stream in enumerate(streams):
                self.assertEqual(next(stream).text, "%d.%d" % (turn, i))
        for talk in talks:
            talk.end()
        self.assertEqual([list(stream) for stream in streams], [[]] * 200)

    def test_statuses_and_their_texts(self):
        stub = self.stub()
        for code in grpc.StatusCode:
            if code != grpc.StatusCode.OK:
                self.assert_fails(code, stub.Unary, Request(text="fail", count=code.value[0]),
                                  text="asked to fail: 100 % \u00e4\n")

    def test_methods_that_are_not_there(self):
        channel = self.channel(self.echo().path)
        for path in "/test.Echo/Nope", "/no.Such/Method", "/", "/test.Echo", "/test.Echo/unary":
            call = channel.unary_unary(path, Request.SerializeToString,
                                       echo_pb2.EchoReply.FromString)
            self.assert_fails(grpc.StatusCode.UNIMPLEMENTED, call, Request())

    def test_deadlines(self):
        stub = self.stub()
        begin = time.monotonic()
        self.assert_fails(grpc.StatusCode.DEADLINE_EXCEEDED, stub.Unary, Request(text="hang"),
                          timeout=0.3)
        self.assertLess(time.monotonic() - begin, 3)
        self.assert_fails(grpc.StatusCode.DEADLINE_EXCEEDED, stub.Split, Request(count=0),
                          timeout=0.3)
        self.assertEqual(stub.Unary(Request(text="on"), timeout=SECONDS).text, "on")

    def test_cancellation(self):
        stub = self.stub()
        call = stub.Unary.future(Request(text="hang"))
        time.sleep(0.1)
        call.cancel()
        self.assertEqual(call.code(), grpc.StatusCode.CANCELLED)
        stream = stub.Split(Request(count=0))  # without an end
        self.assertEqual(next(stream).text, "only")
        stream.cancel()
        with self.assertRaises(grpc.RpcError):
            next(stream)
        for _ in range(300):  # more than may be open: the cancelled ones are gone
            stub.Unary.future(Request(text="hang")).cancel()
        self.assertEqual(stub.Unary(Request(text="on")).text, "on")

    def test_messages_up_to_four_mebibytes(self):
        stub = self.stub(grpc__max_receive_message_length=64 * MIB)
        text = "x" * (4 * MIB - 100)
        self.assertEqual(stub.Unary(Request(text=text)).text, text)
        for size in 4 * MIB, 16 * MIB:
            self.assert_fails(grpc.StatusCode.RESOURCE_EXHAUSTED, stub.Unary,
                              Request(text="x" * size))
            self.assert_fails(grpc.StatusCode.RESOURCE_EXHAUSTED, stub.Join,
                              iter([Request(text="x" * size)]))
        self.assertEqual(stub.Unary(Request(text="on")).text, "on")

    def test_compressed_messages_are_refused(self):
        stub = self.stub()
        self.assert_fails(grpc.StatusCode.UNIMPLEMENTED, stub.Unary, Request(text="x" * 1000),
                          compression=grpc.Compression.Gzip)
        self.assertEqual(stub.Unary(Request(text="on")).text, "on")

    def test_a_reader_takes_its_time(self):
        replies = self.stub().Split(Request(count=100, size_bytes=MIB))
        for i, reply in enumerate(replies):
            self.assertEqual((reply.index, len(reply.padding)), (i, MIB))
            if i % 25 == 0:
                time.sleep(0.1)

    def test_the_read_only_socket(self):
        stub = echo_pb2_grpc.EchoStub(self.channel(self.echo().ro_path))
        self.assertEqual(stub.Unary(Request(text="read")).text, "read")
        self.assert_fails(grpc.StatusCode.PERMISSION_DENIED, stub.Write, Request())


class Kata(ChannelTestCase):
    """The stub is what a client of the Kata KSM throttler is made of."""

    def test_its_client_kicks_here(self):
        daemon = self.daemon_with_kata()
        stub = ksm_pb2_grpc.KSMThrottlerStub(self.channel(daemon.kata))
        self.assertEqual(daemon.host.ksm("run"), 0)
        self.assertEqual(stub.Kick(empty_pb2.Empty()), empty_pb2.Empty())
        self.assertEqual(daemon.host.ksm("run"), 1)  # when the answer is there it has happened

    def test_its_client_kicks_at_the_full_socket_too(self):
        daemon = self.daemon_with_kata()
        ksm_pb2_grpc.KSMThrottlerStub(self.channel(daemon.socket)).Kick(empty_pb2.Empty())
        self.assertEqual(daemon.host.ksm("run"), 1)

    def test_its_socket_takes_nothing_else(self):
        daemon = self.daemon_with_kata()
        channel = self.channel(daemon.kata)
        agent = virtksm_pb2_grpc.AgentStub(channel)
        client = throttler_pb2_grpc.KSMThrottlerStub(channel)
        self.assert_fails(grpc.StatusCode.UNIMPLEMENTED, agent.Status, virtksm_pb2.StatusRequest())
        self.assert_fails(grpc.StatusCode.UNIMPLEMENTED, agent.Kick, virtksm_pb2.KickRequest())
        self.assert_fails(grpc.StatusCode.UNIMPLEMENTED, client.Register,
                          throttler_pb2.RegisterRequest(name="kata"))


class Client:
    """One registered client with its stream of events."""

    def __init__(self, case, daemon, name):
        self.channel = case.channel(daemon.socket)
        self.stub = throttler_pb2_grpc.KSMThrottlerStub(self.channel)
        self.stub.Register(throttler_pb2.RegisterRequest(name=name))
        self.talk = Talk()
        self.told = self.stub.Events(self.talk)
        self.told.initial_metadata()  # the stream is open

    def say(self, vm_id, word):
        self.talk.say(throttler_pb2.VMEvent(vm_id=vm_id, type=word))

    def next(self):
        event = next(self.told)
        return event.vm_id, throttler_pb2.EventType.Name(event.type)


class Events(ChannelTestCase):
    """The throttler's service as the RFC has it, without a package."""

    def source(self, daemon, name):
        rows = [row for row in daemon.ask("status")["sources"] if row["name"] == name]
        return rows[0] if rows else None

    def test_two_clients_follow_each_other(self):
        daemon = self.daemon_with_kata()
        first, second = Client(self, daemon, "first"), Client(self, daemon, "second")
        for word in "CREATING", "CREATED", "DESTROYING", "DESTROYED":
            first.say("vm-1", word)
            self.assertEqual(second.next(), ("vm-1", word))
            second.say("vm-2", word)
            self.assertEqual(first.next(), ("vm-2", word))
            self.assertEqual(len(daemon.names()), 0 if word in ("CREATING", "DESTROYED") else 2)
        self.assertEqual(daemon.host.ksm("run"), 1)
        for name in "grpc:first", "grpc:second":
            row = self.source(daemon, name)
            self.assertEqual((row["state"], row["events"]), ("open", 4))

    def test_events_need_a_registration(self):
        daemon = self.daemon_with_kata()
        Client(self, daemon, "other")
        stub = throttler_pb2_grpc.KSMThrottlerStub(self.channel(daemon.socket))
        self.assert_fails(grpc.StatusCode.FAILED_PRECONDITION, stub.Events, Talk(),
                          text="call Register")

    def test_a_name_is_for_one(self):
        daemon = self.daemon_with_kata()
        first = Client(self, daemon, "kata")
        stub = throttler_pb2_grpc.KSMThrottlerStub(self.channel(daemon.socket))
        self.assert_fails(grpc.StatusCode.ALREADY_EXISTS, stub.Register,
                          throttler_pb2.RegisterRequest(name="kata"))
        self.assertIn("name refused to others 1", self.source(daemon, "grpc:kata")["detail"])
        first.channel.close()
        wait_until(lambda: self.source(daemon, "grpc:kata")["state"] == "closed", "it has left")
        stub.Register(throttler_pb2.RegisterRequest(name="kata"))
        self.assertEqual(self.source(daemon, "grpc:kata")["state"], "waiting")

    def test_what_makes_no_sense_is_refused(self):
        daemon = self.daemon_with_kata()
        stub = throttler_pb2_grpc.KSMThrottlerStub(self.channel(daemon.socket))
        for name in "", "a\nb", "x" * 65:
            self.assert_fails(grpc.StatusCode.INVALID_ARGUMENT, stub.Register,
                              throttler_pb2.RegisterRequest(name=name))
        client = Client(self, daemon, "kata")
        client.say("", "CREATED")
        with self.assertRaises(grpc.RpcError) as caught:
            next(client.told)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_machines_of_a_client_that_vanishes_are_forgotten(self):
        daemon = self.daemon_with_kata()
        client, other = Client(self, daemon, "kata"), Client(self, daemon, "other")
        for i in range(10):
            client.say("vm-%d" % i, "CREATED")
            self.assertEqual(other.next(), ("vm-%d" % i, "CREATED"))
        other.say("vm-0", "CREATED")
        wait_until(lambda: self.source(daemon, "grpc:other")["events"] == 1, "both know vm-0")
        self.assertEqual(len(daemon.names()), 10)
        client.channel.close()
        gone = {other.next() for _ in range(9)}
        self.assertEqual(gone, {("vm-%d" % i, "DESTROYED") for i in range(1, 10)})
        self.assertEqual(daemon.names(), ["vm-0"])


class Agent(ChannelTestCase):

    def test_every_call_has_its_answer(self):
        daemon = self.daemon_with_kata()
        stub = virtksm_pb2_grpc.AgentStub(self.channel(daemon.socket))
        status = stub.Status(virtksm_pb2.StatusRequest())
        self.assertEqual((status.mode, status.libvirt.uri), ("auto", "none"))
        self.assertEqual(len(stub.List(virtksm_pb2.ListRequest()).domains), 0)
        self.assertTrue(stub.Report(virtksm_pb2.ReportRequest()).HasField("host"))
        self.assertTrue(stub.Explain(virtksm_pb2.ExplainRequest()).reason)
        self.assertEqual(stub.Kick(virtksm_pb2.KickRequest()).ksm.run, 1)
        self.assertEqual(stub.SetMode(virtksm_pb2.SetModeRequest(mode="off")).mode, "off")
        self.assert_fails(grpc.StatusCode.INVALID_ARGUMENT, stub.SetMode,
                          virtksm_pb2.SetModeRequest(mode="fast"))
        self.assert_fails(grpc.StatusCode.NOT_FOUND, stub.Report,
                          virtksm_pb2.ReportRequest(domain="nobody"))

    def test_watch_tells_what_happens_until_the_daemon_ends(self):
        daemon = self.daemon_with_kata()
        stub = virtksm_pb2_grpc.AgentStub(self.channel(daemon.socket))
        events = stub.Watch(virtksm_pb2.WatchRequest())
        events.initial_metadata()
        for i in range(1, 4):
            stub.Kick(virtksm_pb2.KickRequest())
            event = next(events)
            self.assertEqual((event.sequence, event.event, event.source), (i, "kick", "grpc"))
        daemon.stop()
        with self.assertRaises(grpc.RpcError) as caught:
            next(events)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn("shutting down", caught.exception.details())

    def test_two_hundred_watchers_and_more_are_a_status_not_a_crash(self):
        daemon = self.daemon_with_kata()
        stub = virtksm_pb2_grpc.AgentStub(self.channel(daemon.socket))
        watchers = [stub.Watch(virtksm_pb2.WatchRequest()) for _ in range(200)]
        for watcher in watchers:
            watcher.initial_metadata()
        stub.Kick(virtksm_pb2.KickRequest())
        told = 0
        for watcher in watchers:
            try:
                told += next(watcher).event == "kick"
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(told, 64)

    def test_the_read_only_socket_changes_nothing(self):
        daemon = self.daemon_with_kata()
        channel = self.channel(daemon.ro_socket)
        stub = virtksm_pb2_grpc.AgentStub(channel)
        self.assertEqual(stub.Status(virtksm_pb2.StatusRequest()).mode, "auto")
        self.assert_fails(grpc.StatusCode.PERMISSION_DENIED, stub.Kick, virtksm_pb2.KickRequest())
        self.assert_fails(grpc.StatusCode.PERMISSION_DENIED,
                          ksm_pb2_grpc.KSMThrottlerStub(channel).Kick, empty_pb2.Empty())
        self.assertEqual(daemon.host.settings(), (0, 100, 20))


class Tools(ChannelTestCase):
    """Health and reflection: what tools expect that know nothing of us."""

    def test_health(self):
        daemon = self.daemon_with_kata()
        stub = health_pb2_grpc.HealthStub(self.channel(daemon.ro_socket))
        serving = health_pb2.HealthCheckResponse.SERVING
        for name in "", "virtksm.v1.Agent", "KSMThrottler", "ksm.KSMThrottler":
            request = health_pb2.HealthCheckRequest(service=name)
            self.assertEqual(stub.Check(request).status, serving)
            watch = stub.Watch(request)
            self.assertEqual(next(watch).status, serving)
            watch.cancel()
        unknown = health_pb2.HealthCheckRequest(service="no.Such")
        self.assert_fails(grpc.StatusCode.NOT_FOUND, stub.Check, unknown)
        self.assertEqual(next(stub.Watch(unknown)).status,
                         health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)

    def reflected_pool(self, stub, module):
        """All that is served, learnt from nothing but the reflection service."""
        talk = Talk()
        answers = stub.ServerReflectionInfo(talk)
        talk.say(module.ServerReflectionRequest(list_services="*"))
        names = [s.name for s in next(answers).list_services_response.service]
        files = {}
        for name in names:
            talk.say(module.ServerReflectionRequest(file_containing_symbol=name))
            answer = next(answers).file_descriptor_response
            self.assertTrue(answer.file_descriptor_proto, name)
            for packed in answer.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(packed)
                files[file.name] = file
        talk.end()
        self.assertEqual(list(answers), [])
        pool = descriptor_pool.DescriptorPool()
        while files:
            ready = [name for name, file in files.items() if not set(file.dependency) & set(files)]
            self.assertTrue(ready, "the files need others: %s" % list(files))
            for name in ready:
                pool.Add(files.pop(name))
        return names, pool

    def test_reflection_is_enough_to_make_a_call(self):
        daemon = self.daemon_with_kata()
        channel = self.channel(daemon.ro_socket)
        for module, stubs in (v1, v1_grpc), (v1alpha, v1alpha_grpc):
            names, pool = self.reflected_pool(stubs.ServerReflectionStub(channel), module)
            self.assertEqual(sorted(names), [
                "KSMThrottler", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection", "ksm.KSMThrottler",
                "virtksm.v1.Agent"])
            method = pool.FindServiceByName("virtksm.v1.Agent").FindMethodByName("Status")
            factory = message_factory.MessageFactory(pool)
            request = factory.GetPrototype(method.input_type)
            response = factory.GetPrototype(method.output_type)
            call = channel.unary_unary("/virtksm.v1.Agent/Status", request.SerializeToString,
                                       response.FromString)
            self.assertEqual(call(request()).mode, "auto")


if __name__ == "__main__":
    unittest.TestCase.longMessage = True
    main()
