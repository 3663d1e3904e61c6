// The programs by which the interface is defined: a function in its own process, with its result.
// compiles
#include <chorus/chorus.hpp>
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace std::chrono_literals;

int parse(const std::vector<std::byte>& bytes) { return static_cast<int>(bytes.size()); }

int main() {
  std::vector<std::byte> bytes(3);
  int r = mp::run(parse, bytes);                               // runs parse(bytes) in a child; its value, or its exception, comes back
  auto f = mp::async({.timeout = 2s, .memory = 512_MiB}, parse, bytes);   // Future<int>
  try { f.get(); }
  catch (const chorus::WorkerDied& e) { e.signal(); e.exitcode(); e.stack(); e.what(); }  // "killed by SIGSEGV in parse at …"
  catch (const chorus::TimedOut&) {} catch (const chorus::OutOfMemory&) {}
  catch (const std::out_of_range& e) { e.what(); }   // std exceptions arrive as themselves; registered ones too; others as RemoteError{type, what, stack}
  catch (const chorus::RemoteError& e) { e.type(); e.what(); e.stack(); }
  chorus::Future<int> same = f;
  return r + same.get(1s);
}
