// The programs by which the interface is defined: locks and their like, the same text for threads and
// processes.
// compiles
#include <mutex>
#include <vector>

#include <chorus/chorus.hpp>
namespace mp = chorus::multiprocessing;
namespace mt = chorus::threading;
using namespace std::chrono_literals;

struct Job {
    mp::Lock lock;
    std::vector<mp::RLock> more;
    mp::Barrier barrier{2};
};
void use(mp::Lock, mp::RLock, mp::Semaphore, mp::BoundedSemaphore, mp::Event, mp::Condition, mp::Barrier, Job) {}
void action() {}

void program() {
  mp::Lock lock;                                   // travels as an argument
  { std::scoped_lock guard(lock); }
  lock.acquire(1s); lock.release(); lock.locked();
  try { lock.acquire(); } catch (const chorus::OwnerDied&) { /* the lock is held: repair the data, then */ lock.recover(); }
  mp::Process process(use, lock, mp::RLock(), mp::Semaphore(3), mp::BoundedSemaphore(3), mp::Event(), mp::Condition(lock), mp::Barrier(2, action, 1s), Job());
  int captured = 0;
  mt::Barrier counts(2, [&captured] { ++captured; });
}

#define SAME_TEXT_FOR(par)                                                                                             \
  void with_##par() {                                                                                                  \
    par::Lock one; par::RLock two;                                                                                     \
    { std::scoped_lock both(one, two); std::unique_lock third(two, 1s); }                                              \
    par::Semaphore three(3); three.acquire(chorus::now); three.release(2); three.get_value(); three.locked();          \
    par::BoundedSemaphore bounded(3); { std::scoped_lock slot(bounded); }                                              \
    par::Event event; event.set(); event.clear(); event.is_set(); event.wait(100ms);                                   \
    par::Condition changed; par::Condition shares(one), again(two);                                                    \
    { std::scoped_lock guard(changed); changed.wait(1s); changed.wait_for([] { return true; }, 1s); changed.notify(); changed.notify(2); changed.notify_all(); } \
    par::Barrier barrier(3, action, 1s); barrier.wait(); barrier.wait(1s); barrier.reset(); barrier.abort();           \
    barrier.parties(); barrier.n_waiting(); barrier.broken();                                                          \
    chorus::print(one, two, three, bounded, event, changed, barrier);                                                  \
  }
SAME_TEXT_FOR(mp)
SAME_TEXT_FOR(mt)
