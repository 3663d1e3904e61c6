// The programs by which the interface is defined: processes and threads.
// compiles
#include <chorus/chorus.hpp>
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace std::chrono_literals;

void sing(int num)  { for (int i = 0; i < num; ++i) { chorus::print("sing ...");  std::this_thread::sleep_for(500ms); } }
constexpr auto dance = chorus::named<"num">([](int num) { chorus::print(num); });   // parameters with names: may be passed by keyword

int main() {
  mp::Process a(sing, 3);                                  // args
  mp::Process b(dance, chorus::kw<"num"> = 3);             // kwargs: any order, mixed after positional ones
  mp::Process c({.name = "c", .daemon = true}, sing, 3);   // options first
  a.start(); b.start(); c.start();
  a.join();                       // returns true once it has ended
  [[maybe_unused]] bool ended = b.join(100ms);     // false: still running
  a.pid(); a.name(); a.daemon(); a.is_alive(); a.exitcode();   // optional<int>: 0, N, or -SIGNAL
  b.terminate(); b.kill(); b.interrupt(); a.close(); a.sentinel();
  c.set_daemon(false);            // throws UsageError: already started

  mt::Thread t({.daemon = true}, sing, 3);                   // the same, for threads; t.ident(), t.native_id()
  t.ident(); t.native_id();
  chorus::print(mt::current_thread());                       // <Thread(Thread-1 (work), started 140407841228480)>
  chorus::print("a is", a);                                  // a is <Process name='Process-1' pid=8 parent=7 stopped exitcode=0>
  mt::enumerate(); mt::active_count(); mt::main_thread(); mp::active_children(); mp::current_process(); mp::parent_process();
  chorus::getpid(); chorus::getppid();                       // a child's getppid() is its starter's pid

  mp::set_start_method("spawn"); mp::get_context("fork").Process(sing, 3).start();
  int captured = 3;
  mp::ForkProcess fork([&captured] { sing(captured); });
  mp::SpawnProcess spawn(sing, 3);
  mp::ForkServerProcess server({.name = "server"}, dance, chorus::kw<"num"> = 3);
  mp::Process from_context = mp::get_context("spawn").Process({.daemon = true}, sing, 3);
}

// Only the namespace changes.
namespace with_threads {
namespace par = chorus::threading;
void program() {
  par::Worker worker({.name = "worker", .daemon = false}, dance, chorus::kw<"num"> = 3);
  worker.start(); worker.join(1s); worker.join(chorus::now); worker.is_alive(); worker.name(); worker.daemon();
  chorus::print(worker, par::current_worker());
}
}
namespace with_processes {
namespace par = chorus::multiprocessing;
void program() {
  par::Worker worker({.name = "worker", .daemon = false}, dance, chorus::kw<"num"> = 3);
  worker.start(); worker.join(1s); worker.join(chorus::now); worker.is_alive(); worker.name(); worker.daemon();
  chorus::print(worker, par::current_worker());
}
}
