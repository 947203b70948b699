#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_metrics.py - what Prometheus is given, whoever else is at the address

The daemon is scraped as Prometheus does it, by readers that are slow, hang, or may not see all, and
by a real Prometheus, which then has to have an answer to every query of the rules and dashboards.
"""
import ctypes
import glob
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import EXIT_CONFIG, PATIENCE, FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import FakeLibvirtd, uuid_of, write_running  # noqa: E402

PACKAGING = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../packaging")
ROWS = PACKAGING + "/../agent/report/metrics_domain.c"
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
NOBODY = 65534
HANGING = 20

# Expressions that give nothing here, and why. Alerts give nothing while all is well; that they
# would is tested in packaging/prometheus/virtksm-test.yml.
PAGEMAP = "what QEMU itself uses is read from pagemap, which no plain file can be"
HERE = '{job="$job",instance="$instance"}'
EMPTY = {
    "sum(virtksm_domain_untouched_bytes%s)" % HERE: PAGEMAP,
    "sum(virtksm_domain_guest_free_bytes%s)" % HERE: "libvirt's test driver has no such figure",
    "virtksm_domain_overhead_bytes" + HERE: PAGEMAP,
    'ALERTS{alertname=~"Virtksm.*",alertstate="firing"}': "no alert fires",
}
# Metrics that are not there while all is well.
ABSENT = {"virtksm_foreign_writer_info": "nobody else writes KSM's settings"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def figures(text):
    """Samples as a dictionary: "name" or 'name{labels}' -> value."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            found[name + ("{%s}" % labels if labels else "")] = float(value)
    return found


def fetch(port, path="/metrics", seconds=10):
    url = "http://127.0.0.1:%d%s" % (port, path)
    with urllib.request.urlopen(url, timeout=seconds) as answer:
        return answer.read().decode()


def fetch_as(user, port):
    """What a user gets. A socket belongs to who its thread is for files when it makes it."""
    libc = ctypes.CDLL(None)
    libc.setfsuid(user)
    try:
        client = socket.socket()
    finally:
        libc.setfsuid(0)
    with client:
        client.settimeout(10 * PATIENCE)
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b""
        while data := client.recv(65536):
            text += data
    return text.split(b"\r\n\r\n", 1)[1].decode()


class MetricsTestCase(FakeTestCase):

    def scraped(self, *args, more="", host=None, **options):
        """A daemon with metrics at a port of its own, and that port."""
        port = free_port()
        config = "[metrics]\nlisten = 127.0.0.1:%d\n%s" % (port, more)
        daemon = self.started(*args, host=host, config=config, **options)
        wait_until(lambda: self.is_given(port), "a page")
        return daemon, port

    @staticmethod
    def is_given(port, name="virtksm_host_saved_bytes"):
        try:
            return name in fetch(port)
        except OSError:  # nobody listens yet, or there is no page yet
            return False

    def with_domains(self, names, **options):
        host = self.host()
        uri = write_running(host.base, names)
        processes = [host.add_qemu(name, uuid_of(number), resident_pages=1000)
                     for number, name in enumerate(names)]
        daemon, port = self.scraped("--mode", "observe", host=host, connect=uri, **options)
        return host, daemon, port, processes


class Pages(MetricsTestCase):

    def test_figures_are_those_of_the_report(self):
        host, daemon, port, processes = self.with_domains(["web", "db"])
        for process in processes:
            process.set_ksm(merging=100, rmap_items=200, zero=10)
        host.set_counters(pages_shared=50, pages_sharing=150, ksm_zero_pages=20)
        page = os.sysconf("SC_PAGESIZE")
        key = 'virtksm_domain_saved_bytes{domain="web",uuid="%s"}' % uuid_of(0)
        wait_until(lambda: figures(fetch(port)).get(key) == 85 * page, "the new figures")
        found = figures(fetch(port))
        report = daemon.ask("report")
        self.assertEqual(found["virtksm_host_saved_bytes"], report["host"]["saved_pages"] * page)
        saved = sum(value for name, value in found.items()
                    if name.startswith("virtksm_domain_saved_bytes{"))
        self.assertEqual(saved + found["virtksm_others_saved_bytes"],
                         found["virtksm_host_saved_bytes"])
        self.assertEqual(found['virtksm_mode{mode="observe"}'], 1)
        self.assertEqual(found["virtksm_libvirt_connected"], 1)
        self.assertEqual(found['virtksm_source_events_total{source="libvirt"}'], 2)
        self.assertLess(abs(time.time() - found["virtksm_heartbeat_timestamp_seconds"]), 11)

    def test_counts_and_durations_grow(self):
        daemon, port = self.scraped()
        before = figures(fetch(port))
        daemon.client("kick")
        decided = 'virtksm_decisions_total{reason="%s"}'
        wait_until(lambda: sum(v for k, v in figures(fetch(port)).items()
                               if k.startswith(decided[:24])) >
                   sum(v for k, v in before.items() if k.startswith(decided[:24])), "decisions")
        after = figures(fetch(port))
        self.assertGreater(after["virtksm_scrapes_total"], before["virtksm_scrapes_total"])
        self.assertGreater(after["virtksm_tick_duration_seconds_count"],
                           before["virtksm_tick_duration_seconds_count"])
        self.assertGreater(after["virtksm_heartbeat_timestamp_seconds"],
                           before["virtksm_heartbeat_timestamp_seconds"])

    def test_what_is_asked_wrongly_is_refused_and_counted(self):
        _, port = self.scraped()
        before = figures(fetch(port))["virtksm_scrape_errors_total"]
        for path, code in ("/", 404), ("/metrics/", 404), ("/" + "x" * 3000, 404):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                fetch(port, path)
            self.assertEqual(caught.exception.code, code, path)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10 * PATIENCE)
        client.request("POST", "/metrics", body=b"x" * 100000)
        self.assertEqual(client.getresponse().status, 405)
        client.close()
        self.assertEqual(figures(fetch(port))["virtksm_scrape_errors_total"], before + 4)

    def test_a_host_without_ksm_has_no_figures_of_it(self):
        host = self.host(None)
        port = free_port()
        self.started(host=host, config="[metrics]\nlisten = 127.0.0.1:%d\n" % port)
        wait_until(lambda: self.is_given(port, "virtksm_ledger_steady"), "a page")
        found = figures(fetch(port))
        for name in found:
            self.assertNotIn("_saved_bytes", name)
        self.assertEqual(found['virtksm_actuator_state{state="absent"}'], 1)

    def test_another_writer_is_told(self):
        host = self.host()
        daemon, port = self.scraped("--mode", "fixed", host=host)
        wait_until(lambda: host.ksm("run") == 1, "KSM runs")
        host.echo("pages_to_scan", 777)
        self.assert_done(daemon.client("kick"), 0)  # looks at once
        yielded = 'virtksm_actuator_state{state="yielded"}'
        wait_until(lambda: figures(fetch(port))[yielded] == 1, "it has yielded")
        found = figures(fetch(port))
        self.assertGreater(found["virtksm_foreign_writes_total"], 0)
        self.assertEqual(
            [value for name, value in found.items()
             if name.startswith('virtksm_foreign_writer_info{setting="pages_to_scan"')], [1])


class Domains(MetricsTestCase):

    def test_a_domain_that_stops_vanishes_at_once(self):
        host = self.host()
        libvirtd = FakeLibvirtd.for_test(self, host.base)
        libvirtd.define("web", "db")
        libvirtd.virsh("start web", "start db")
        daemon, port = self.scraped(host=host, connect=libvirtd.uri)
        wait_until(lambda: 'domain="web"' in fetch(port) and 'domain="db"' in fetch(port),
                   "both domains")
        libvirtd.virsh("destroy web")
        wait_until(lambda: "web" not in daemon.names(), "the agent knows")
        text = fetch(port)
        self.assertNotIn('domain="web"', text)
        self.assertIn('domain="db"', text)
        self.assertEqual(figures(text)["virtksm_domains"], len(daemon.names()))

    def test_names_are_escaped(self):
        names = ["a b", "q&quot;q", "back\\slash", "\u00e9\u20ac"]
        _, _, port, _ = self.with_domains(names)
        want = ['domain="a b"', 'domain="q\\"q"', 'domain="back\\\\slash"', 'domain="\u00e9\u20ac"']
        wait_until(lambda: all(w in fetch(port) for w in want), "all names")
        done = subprocess.run(["promtool", "check", "metrics"], input=fetch(port), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_there_are_as_many_as_the_limit_says(self):
        _, daemon, port, _ = self.with_domains(["a", "b", "c"], more="domain_limit = 2\n")

        def told():
            text = fetch(port)
            return (text.count("virtksm_domain_saved_bytes{"),
                    figures(text)['virtksm_domains_omitted{reason="limit"}'])

        wait_until(lambda: told() == (2, 1), lambda: "figures, left out: %s" % (told(),))
        self.assertIn("1 domains have no figures of their own", daemon.log())

    def test_they_can_be_switched_off_and_on_while_it_runs(self):
        _, daemon, port, _ = self.with_domains(["a", "b"], more="domains = false\n")
        wait_until(lambda: figures(fetch(port))['virtksm_domains_omitted{reason="off"}'] == 2,
                   "both are left out")
        self.assertNotIn("uuid=", fetch(port))
        daemon.write_config("[metrics]\nlisten = 127.0.0.1:%d\n" % port)
        daemon.send(1)
        wait_until(lambda: fetch(port).count("virtksm_domain_saved_bytes{") == 2, "both")

    def test_who_may_not_see_figures_of_domains_gets_those_of_the_host(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be somebody else")
        _, daemon, port, _ = self.with_domains(["a", "b"])
        wait_until(lambda: fetch(port).count("virtksm_domain_saved_bytes{") == 2, "both")
        for limit, given in ("group", 0), ("all", 2), ("root", 0):
            daemon.write_config("[metrics]\nlisten = 127.0.0.1:%d\n[access]\ndomain_figures = %s\n"
                                % (port, limit))
            daemon.send(1)
            wait_until(lambda want=given: fetch_as(NOBODY, port).count(
                "virtksm_domain_saved_bytes{") == want, "%d domains for %s" % (given, limit))
            text = fetch_as(NOBODY, port)
            found = figures(text)
            self.assertEqual(found['virtksm_domains_omitted{reason="access"}'], 2 - given, limit)
            self.assertIn("virtksm_host_saved_bytes", found)
            self.assertEqual(fetch(port).count("virtksm_domain_saved_bytes{"), 2, limit)


class Readers(MetricsTestCase):

    def connect(self, port, data=b""):
        client = socket.create_connection(("127.0.0.1", port), timeout=10 * PATIENCE)
        self.addCleanup(client.close)
        client.sendall(data)
        return client

    def assert_answers(self, daemon, port, what, seconds=2):
        begin = time.monotonic()
        self.assertIn("virtksm_heartbeat", fetch(port), what)
        daemon.ask("status")
        self.assertLess(time.monotonic() - begin, seconds * PATIENCE, what)

    def test_hanging_connections_hold_nothing(self):
        daemon, port = self.scraped()
        for data in b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: a\r\n":
            for _ in range(HANGING):
                self.connect(port, data)
            self.assert_answers(daemon, port, "%d that sent %r" % (HANGING, data))
        self.assertGreater(figures(fetch(port))["virtksm_scrape_connections_cut_total"], 0)

    def test_readers_that_take_nothing_hold_nothing(self):
        _, daemon, port, _ = self.with_domains(["d%d" % n for n in range(100)])
        wait_until(lambda: fetch(port).count("virtksm_domain_saved_bytes{") == 100, "all domains")
        slow = []
        for _ in range(HANGING):
            client = socket.socket()
            self.addCleanup(client.close)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.settimeout(10 * PATIENCE)
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            slow.append(client)
        self.assert_answers(daemon, port, "%d that take nothing" % HANGING)
        # One that takes its time, but takes it, gets all of it.
        text = b""
        while data := slow[-1].recv(4096):
            text += data
        self.assertEqual(text.count(b"\nvirtksm_domain_saved_bytes{"), 100)

    def test_a_tick_does_not_wait_for_scrapers(self):
        daemon, port = self.scraped()
        ending = threading.Event()
        self.addCleanup(ending.set)

        def hammer():
            while not ending.is_set():
                fetch(port)

        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        begin = time.monotonic()
        for _ in range(10):
            self.assert_done(daemon.client("kick"), 0)
        elapsed = time.monotonic() - begin
        ending.set()
        for thread in threads:
            thread.join()
        self.assertLess(elapsed, 5 * PATIENCE)

    def test_another_program_at_the_address_is_told_and_waited_for(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen(1)
            port = other.getsockname()[1]
            daemon = self.started(config="[metrics]\nlisten = 127.0.0.1:%d\n" % port)
            metrics = daemon.ask("status")["metrics"]
            self.assertEqual(metrics["state"], "waiting")
            for text in metrics["detail"], daemon.log():
                self.assertIn("cannot listen at 127.0.0.1:%d: another program listens there" % port,
                              text)
            self.assertGreater(daemon.ask("status")["ticks"], 0)
        wait_until(lambda: daemon.ask("status")["metrics"]["state"] == "open", "it listens", 20)
        wait_until(lambda: self.is_given(port), "a page")

    def test_off_is_off_and_nonsense_is_refused(self):
        daemon = self.started(config="[metrics]\nlisten = off\n")
        self.assertEqual(daemon.ask("status")["metrics"]["state"], "closed")
        wrong = self.daemon(self.host(), config="[metrics]\nlisten = localhost\n")
        for args in ("--check-config",), ():
            self.assert_done(wrong.run(*args), EXIT_CONFIG, "[metrics] listen = localhost",
                             "127.0.0.1:9876")


class Prometheus:
    """A real one, that scrapes one daemon twice a second."""

    def __init__(self, base, target):
        self.port = free_port()
        self.url = "http://127.0.0.1:%d/api/v1/" % self.port
        self.log_path = base + "/prometheus.log"
        rules = sorted(glob.glob(PACKAGING + "/prometheus/virtksm-*s.yml") +
                       glob.glob(PACKAGING + "/prometheus/virtksm-recording.yml"))
        config = {"global": {"scrape_interval": "500ms", "evaluation_interval": "500ms",
                             "scrape_timeout": "500ms"},
                  "scrape_configs": [{"job_name": "virtksm",
                                      "static_configs": [{"targets": [target]}]}],
                  "rule_files": [os.path.realpath(path) for path in rules]}
        with open(base + "/prometheus.yml", "w", encoding="utf-8") as file:
            json.dump(config, file)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [shutil.which("prometheus") or "prometheus", "--config.file",
                 base + "/prometheus.yml", "--storage.tsdb.path", base + "/tsdb",
                 "--web.listen-address", "127.0.0.1:%d" % self.port],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def close(self):
        self.process.kill()
        self.process.wait()

    def get(self, path, **parameters):
        try:
            with urllib.request.urlopen(self.url + path + "?" +
                                        urllib.parse.urlencode(parameters),
                                        timeout=10 * PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is starting
                return None
            raise AssertionError("%s: %s" % (parameters, error.read().decode())) from None
        except OSError:
            return None

    def has(self, expression):
        data = self.get("query", query=expression)
        return bool(data and data["result"])


class Queries(MetricsTestCase):

    def queries(self):
        """Every expression of the dashboards, with the variables filled in: (where, expression)."""
        found = []
        for path in sorted(glob.glob(PACKAGING + "/grafana/*.json")):
            with open(path, encoding="utf-8") as file:
                dashboard = json.load(file)
            for panel in dashboard["panels"]:
                for target in panel["targets"]:
                    where = "%s: %s: %s" % (os.path.basename(path), panel["title"],
                                            target["legendFormat"])
                    found.append((where, target["expr"]))
        return found

    @staticmethod
    def fill(expression, instance):
        for name, value in (("$job", "virtksm"), ("$instance", instance),
                            ("$__rate_interval", "10s")):
            expression = expression.replace(name, value)
        return expression

    def start(self):
        host, _, port, processes = self.with_domains(["web", "db"])
        for process in processes:
            process.set_ksm(merging=100, rmap_items=200, zero=10)
            host.write(process.folder + "status", "VmSwap:\t     400 kB\n")
        host.write("proc/vmstat", "nr_free_pages 1\ncow_ksm 5\n")
        host.set_counters(pages_shared=50, pages_sharing=150, ksm_zero_pages=20)
        prometheus = Prometheus(host.base, "127.0.0.1:%d" % port)
        self.addCleanup(prometheus.close)
        return host, port, prometheus

    def test_every_query_of_dashboards_and_rules_has_an_answer(self):
        host, port, prometheus = self.start()
        instance = "127.0.0.1:%d" % port
        wanted = [(where, self.fill(text, instance)) for where, text in self.queries()
                  if text not in EMPTY]
        self.assertGreater(len(wanted), 40)
        with open(ROWS, encoding="utf-8") as file:
            rows = file.read()
        for text in EMPTY:
            self.assertIn(text, [text for _, text in self.queries()], "EMPTY has what is not asked")
            for name in re.findall(r"virtksm_\w+", text):
                self.assertIn('"%s"' % name, rows)
        wait_until(lambda: prometheus.has("virtksm_build_info"), "Prometheus scrapes")

        groups = prometheus.get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertGreater(len(rules), 20)
        for rule in rules:
            if rule["type"] == "recording":
                wanted.append(("rule " + rule["name"], rule["name"]))
            for name in set(re.findall(r"(?<![\w:])virtksm_\w+(?![\w:])", rule["query"])) - ABSENT.keys():
                wanted.append(("metric of rule " + rule["name"], name))
        left = list(wanted)

        def none_left():
            host.add_ksmd_cpu(10 ** 6)
            left[:] = [(where, text) for where, text in left if not prometheus.has(text)]
            return not left

        wait_until(none_left, lambda: "no data:\n" + "\n".join("%s: %s" % item for item in left),
                   15)
        for rule in (rule for group in prometheus.get("rules")["groups"]
                     for rule in group["rules"]):
            self.assertEqual(rule["health"], "ok", rule)
            if rule["type"] == "alerting":
                self.assertEqual(rule["state"], "inactive", rule["name"])


if __name__ == "__main__":
    main()
