"""fetch: from a real nginx that is slow on purpose, and from servers that misbehave."""

import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import unittest
import urllib.request

from programs import BUILD_DIR, TOOLS_DIR, ProgramTest

FETCH = os.path.join(BUILD_DIR, "examples", "fetch")
SERVE = os.path.join(os.path.dirname(os.path.abspath(TOOLS_DIR)), "examples", "fetch", "serve")
WAYS = ("threads", "processes")
SUMMARY = r"\Afetch: {} files, {} failed, {} bytes, (\d+\.\d{{3}}) s; the slowest took (\d+\.\d{{3}}) s, all one after the other (\d+\.\d{{3}}) s; \d+ {}\n\Z"


class FetchTest(ProgramTest):
    def setUp(self):
        os.environ["NO_PROGRESS"] = "1"
        self.directory = self.make_directory()
        self.list = self.path("urls.txt")
        self.target = self.path("files")

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write_list(self, *urls):
        with open(self.list, "w", encoding="utf-8") as file:
            file.write("\n".join(urls))

    def fetch(self, *arguments):
        return self.run_program(FETCH, self.list, self.target, *arguments)

    def there(self):
        return sorted(os.listdir(self.target))

    def read(self, *names):
        with open(self.path(*names), "rb") as file:
            return file.read()

    def assert_summary(self, result, files, failed, way="threads", size=r"\d+"):
        match = re.match(SUMMARY.format(files, failed, size, way), result.out.decode())
        self.assertTrue(match, (result.out, result.err))
        return [float(number) for number in match.groups()]

    def assert_failures(self, result, files, failures, way="threads"):
        self.assertEqual(result.code, 1)
        self.assert_summary(result, files, len(failures), way)
        self.assertEqual(result.err.decode().splitlines(), [f"fetch: {url}: {reason}" for url, reason in failures])


class Nginx(FetchTest):
    def setUp(self):
        super().setUp()
        if shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
            self.skipTest("there is no nginx here; scripts/setup installs it")

    def serve(self, files, size, rate):
        server = subprocess.Popen([sys.executable, "-B", SERVE, self.directory, "--files", str(files), "--bytes", str(size), "--rate", rate], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL)

        def end():
            server.terminate()
            server.wait()
            server.stdout.close()

        self.addCleanup(end)
        self.address = server.stdout.readline().decode().strip()
        self.assertTrue(self.address.startswith("http://127.0.0.1:"))
        with urllib.request.urlopen(f"{self.address}/1.bin") as file:  # its address comes before it answers
            file.read()

    # What the server still runs is not this test's to wait for.
    def wait_for_orphans(self):
        pass

    def test_all_take_about_as_long_as_the_slowest(self):
        self.serve(50, 100_000, "50k")
        for way in WAYS:
            with self.subTest(way):
                result = self.fetch("--with", way, "--workers", "50")
                self.assertEqual((result.code, result.err), (0, b""))
                took, slowest, all_of_them = self.assert_summary(result, 50, 0, way, 50 * 50_000 + 1000 * 50 * 51 // 2)
                self.assertGreaterEqual(slowest, 0.9)  # 100 kB at 50 kB a second, of which the first go at once
                self.assertLess(took, all_of_them / 2)
                for number in range(1, 51):
                    self.assertTrue(self.read("files", f"{number}.bin") == self.read("www", f"{number}.bin"))
                self.assertEqual(len(self.there()), 50)
                shutil.rmtree(self.target)

    def test_each_failure_is_named_with_its_reason(self):
        self.serve(3, 1000, "0")
        closed = socket.socket()  # bound and not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        self.addCleanup(closed.close)
        refused = f"http://127.0.0.1:{closed.getsockname()[1]}/file"
        urls = [f"{self.address}/1.bin", f"{self.address}/none", refused, f"{self.address}/trickle/2.bin", f"{self.address}/busy/x", "ftp://127.0.0.1/x.txt", "xx:///bad",
                "# a remark", "", f"{self.address}/3.bin?x=y", f"{self.address}/trickle/3.bin", f"{self.address}/"]
        self.write_list(*urls)
        for way in WAYS:
            with self.subTest(way):
                result = self.fetch("--with", way, "--timeout", "3", "--retries", "1", "--workers", "8")
                lines = result.err.decode().splitlines()
                self.assert_failures(result, 2, [
                    (urls[1], "the server answers 404 (not found)"), (urls[2], "connection refused, 2 attempts"), (urls[3], "timed out after 3 s, 2 attempts"),
                    (urls[4], "the server answers 503, 2 attempts"), (urls[5], lines[4].split(": ", 2)[2]), (urls[6], lines[5].split(": ", 2)[2]),
                    (urls[11], "the server answers 403"), (urls[10], f"its file would take the place of that of {urls[9]}")], way)
                self.assertRegex(lines[4], "(?i)ftp.*not supported")
                self.assertRegex(lines[5], "(?i)malformed|bad|illegal")
                self.assertEqual(self.there(), ["1.bin", "3.bin"])

    def test_ctrl_c_leaves_whole_files_only(self):
        self.serve(20, 2000, "0")
        self.write_list(*[f"{self.address}/{number}.bin" for number in range(1, 6)], f"{self.address}/trickle/20.bin")
        for way in WAYS:
            with self.subTest(way):
                os.makedirs(self.target)
                with subprocess.Popen([FETCH, self.list, self.target, "--with", way], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as running:
                    while len([name for name in os.listdir(self.target) if not name.startswith(".")]) < 5 or not os.path.exists(self.path("files", ".20.bin.part")):
                        pass
                    os.killpg(running.pid, signal.SIGINT)
                    result = self.finish(running)
                self.assertEqual(result.code, 130)
                # A file may lie there before its worker's answer has come: then it counts as one that is not there.
                self.assertRegex(result.err, rb"\Afetch: stopped by Ctrl-C: [1-6] are not there\n\Z")
                self.assert_summary(result, 6 - int(re.search(rb"(\d) are", result.err)[1]), 0, way)
                self.assertEqual(self.there(), [f"{number}.bin" for number in range(1, 6)])
                shutil.rmtree(self.target)


class Misbehaving(FetchTest):
    """A server of our own, which does what each test wants of it."""

    def serve(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128

        server = Server(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def end():
            server.shutdown()
            server.server_close()
            thread.join()

        self.addCleanup(end)
        self.address = f"http://127.0.0.1:{server.server_address[1]}"

    @staticmethod
    def send(request, code, body, length=None):
        request.send_response(code)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    def test_fifty_at_once(self):
        all_there = threading.Barrier(50)  # no request is answered before all have been made

        def answer(request):
            all_there.wait()
            self.send(request, 200, request.path.encode())

        self.serve(answer)
        self.write_list(*[f"{self.address}/{number}" for number in range(50)])
        for way in WAYS:
            with self.subTest(way):
                result = self.fetch("--workers", "50", "--with", way)
                self.assertEqual((result.code, result.err), (0, b""))
                self.assert_summary(result, 50, 0, way)
                self.assertEqual([self.read("files", str(number)) for number in range(50)], [b"/%d" % number for number in range(50)])

    def test_what_may_pass_is_tried_again(self):
        seen = []

        def answer(request):
            seen.append(request.path)
            if seen.count(request.path) == 1 and request.path == "/busy":
                self.send(request, 503, b"busy")
            elif seen.count(request.path) <= 2 and request.path == "/broken":
                self.send(request, 200, b"half of ", 16)
            elif request.path == "/none":
                self.send(request, 404, b"none")
            else:
                self.send(request, 200, b"the whole of it.")

        self.serve(answer)
        self.write_list(f"{self.address}/busy", f"{self.address}/broken", f"{self.address}/none")
        self.assert_failures(self.fetch(), 2, [(f"{self.address}/none", "the server answers 404 (not found)")])
        self.assertEqual(self.there(), ["broken", "busy"])
        self.assertEqual((self.read("files", "busy"), self.read("files", "broken")), (b"the whole of it.",) * 2)
        self.assertEqual((seen.count("/busy"), seen.count("/broken"), seen.count("/none")), (2, 3, 1))

    def test_half_a_file_is_none(self):
        self.serve(lambda request: self.send(request, 200, b"half of ", 16))
        self.write_list(f"{self.address}/file")
        for way in WAYS:
            result = self.fetch("--retries", "0", "--with", way)
            self.assertEqual(result.code, 1)
            self.assertRegex(result.err.decode(), rf"\Afetch: {self.address}/file: broken off: .*8 bytes remaining.*\n\Z")
            self.assertEqual(self.there(), [])

    def test_file_that_cannot_be_written_is_named(self):
        self.serve(lambda request: self.send(request, 200, b"content"))
        os.makedirs(self.path("files", "file"))
        os.makedirs(self.target, exist_ok=True)
        os.symlink("/dev/full", self.path("files", ".full.part"))
        self.write_list(f"{self.address}/file", f"{self.address}/full")
        self.assert_failures(self.fetch(), 0, [(f"{self.address}/file", "its file cannot be written: Is a directory"),
                                               (f"{self.address}/full", "its file cannot be written: No space left on device")])


class CommandLine(FetchTest):
    def assert_refused(self, code, message, *arguments):
        result = self.run_program(FETCH, *arguments)
        self.assertEqual((result.code, result.out, result.err.decode()), (code, b"", message))

    def test_lists_that_cannot_be_read(self):
        self.assert_refused(1, f"fetch: {self.list}: No such file or directory\n", self.list, self.target)
        self.assert_refused(1, f"fetch: {self.directory}: Is a directory\n", self.directory, self.target)

    def test_directory_that_cannot_be_made(self):
        self.write_list("http://127.0.0.1:1/x")
        self.assert_refused(1, f"fetch: {self.list}/files: Not a directory\n", self.list, self.path("urls.txt", "files"))

    def test_empty_list(self):
        self.write_list()
        result = self.fetch()
        self.assertEqual((result.code, result.err), (0, b""))
        self.assert_summary(result, 0, 0)

    def test_wrong_arguments(self):
        self.assert_refused(2, "fetch: LIST is required (see --help)\n")
        self.assert_refused(2, "fetch: DIR is required (see --help)\n", self.list)
        self.assert_refused(2, "fetch: --workers: Value 0 not in range 1 to 10000 (see --help)\n", self.list, self.target, "--workers", "0")
        self.assert_refused(2, "fetch: --with: fibers not in {processes,threads} (see --help)\n", self.list, self.target, "--with", "fibers")


if __name__ == "__main__":
    unittest.main()
