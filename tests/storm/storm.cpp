// Processes put, get, lock, wait, notify, send and receive over one set of objects, while random ones are
// killed at random instants, others are stopped for a while, and fresh ones take their places.
//
//     storm [SECONDS [SEED]]
//
// Prints kills, stops and operations, and what may never be: items lost, doubled or torn, a lock held twice,
// a process left hanging. Exit status 1 if there was any of that.
//
// An item whose sender was killed inside put may be there or not. An item whose receiver was killed inside
// get, or before it could note it down, may be gone with it: one for each such death.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <chorus/chorus.hpp>

#include "ledger.hpp"

namespace mp = chorus::multiprocessing;
using namespace std::chrono_literals;

namespace {

using Item = std::vector<std::uint64_t>;  // producer, number, check sum, filling

std::uint64_t check_sum(const Item& item) {
    std::uint64_t sum = 0x9e3779b97f4a7c15;
    for (std::size_t i = 0; i < item.size(); ++i) {
        if (i != 2) sum = (sum ^ item[i]) * 0x100000001b3;
    }
    return sum;
}

Item make_item(std::uint32_t producer, std::uint32_t number, std::mt19937& random) {
    // Mostly small ones, some larger than a ring is at first, few so long that they lie apart.
    std::size_t length = 3 + random() % 40;
    if (random() % 64 == 0) length = 3 + random() % 4000;
    if (random() % 1024 == 0) length = 20'000;
    Item item(length, (std::uint64_t{producer} << 32) | number);
    item[0] = producer;
    item[1] = number;
    item[2] = check_sum(item);
    return item;
}

/// What one kind of worker does indefinitely, on what, and how far all of them have come.
struct Part {
    const char* name;
    int workers;
    std::function<void(std::uint32_t worker)> work;
    std::atomic<std::uint64_t>* progress;
    bool may_pause = false;  ///< comes on only when others let it
};

/// What a worker was doing, for the killer to read when it is dead.
struct Doing {
    std::atomic<std::uint32_t> items_at_risk{0};
};

struct Worker {
    mp::Process process;
    std::size_t part;
    std::uint32_t number;
};

void note_item(Ledger& ledger, const Item& item) {
    if (item.size() < 3 || check_sum(item) != item[2] ||
        !ledger.was_meant(static_cast<std::uint32_t>(item[0]), static_cast<std::uint32_t>(item[1]))) {
        ++ledger.torn;
    } else if (ledger.has_got(static_cast<std::uint32_t>(item[0]), static_cast<std::uint32_t>(item[1]))) {
        ++ledger.doubled;
    }
}

class Storm {
public:
    explicit Storm(unsigned seed) : random_(seed) { set_up_parts(); }

    int run(std::chrono::seconds duration) {
        for (std::size_t part = 0; part < parts_.size(); ++part) {
            for (int i = 0; i < parts_[part].workers; ++i) start(part);
        }
        const auto end = std::chrono::steady_clock::now() + duration;
        while (hung_ == 0 && std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(std::chrono::microseconds(100 + random_() % 3000));
            strike();
            look_for_the_hung();
        }
        finish();
        return report();
    }

private:
    void set_up_parts() {
        const auto counter = [] { return shared_with_forks<std::atomic<std::uint64_t>>(); };
        auto* const ledgers = new (shared_with_forks<char>(3 * sizeof(Ledger))) Ledger[3];
        doing_ = shared_with_forks<Doing>(most_workers);

        // Queues: one bounded, one not, one taken in batches; a pipe with two processes at each end.
        for (int kind = 0; kind < 2; ++kind) {
            Ledger& ledger = ledgers[kind];
            mp::Queue<Item> queue(kind == 0 ? 16 : 400);
            queues_.push_back(queue);
            ledgers_.push_back(&ledger);
            parts_.push_back({kind == 0 ? "put" : "put_more", 2,
                              [&ledger, queue, this](std::uint32_t worker) mutable {
                                  std::mt19937 random(worker);
                                  for (std::uint32_t i = 0; i < Ledger::items_each; ++i) {
                                      const auto item = make_item(worker, i, random);
                                      ledger.will_put(worker, i);
                                      if (random() % 4 != 0 || !queue.try_put(item)) queue.put(item);
                                      ledger.has_put(worker, i);
                                      advance();
                                  }
                              },
                              counter()});
            parts_.push_back({kind == 0 ? "get" : "get_many", 2,
                              [&ledger, queue, kind, this](std::uint32_t worker) mutable {
                                  const std::uint32_t most = kind == 0 ? 1 : 8;
                                  for (;;) {
                                      doing_[worker].items_at_risk = most;
                                      if (kind == 0) {
                                          note_item(ledger, queue.get());
                                      } else {
                                          for (const auto& item : queue.get_many(most))
                                              note_item(ledger, item);
                                      }
                                      doing_[worker].items_at_risk = 0;
                                      advance();
                                  }
                              },
                              counter()});
        }
        Ledger& piped = ledgers[2];
        ledgers_.push_back(&piped);
        auto [receiving, sending] = mp::Pipe({.duplex = false, .max_bytes = 64 * 1024});
        pipe_.push_back(receiving);
        pipe_.push_back(sending);
        parts_.push_back({"send", 2,
                          [&piped, connection = sending, this](std::uint32_t worker) {
                              std::mt19937 random(worker);
                              for (std::uint32_t i = 0; i < Ledger::items_each; ++i) {
                                  const auto item = make_item(worker, i, random);
                                  piped.will_put(worker, i);
                                  connection.send(item);
                                  piped.has_put(worker, i);
                                  advance();
                              }
                          },
                          counter()});
        parts_.push_back({"recv", 2,
                          [&piped, connection = receiving, this](std::uint32_t worker) {
                              for (;;) {
                                  doing_[worker].items_at_risk = 1;
                                  note_item(piped, connection.recv<Item>());
                                  doing_[worker].items_at_risk = 0;
                                  advance();
                              }
                          },
                          counter()});

        // A lock, and what it protects: a pair that is equal whenever no process is at it.
        static auto* const pair = shared_with_forks<std::atomic<std::uint64_t>>(3);
        held_twice_ = &pair[2];
        mp::Lock lock;
        parts_.push_back({"lock", 3,
                          [lock, this](std::uint32_t) mutable {
                              for (;;) {
                                  try {
                                      lock.acquire();
                                  } catch (const chorus::OwnerDied&) {
                                      pair[1] = pair[0].load();
                                      lock.recover();
                                  }
                                  if (pair[0] != pair[1]) ++pair[2];
                                  ++pair[0];
                                  ++pair[1];
                                  lock.release();
                                  advance();
                              }
                          },
                          counter()});

        // Tokens made under a condition, and used up under it.
        static auto* const tokens = shared_with_forks<std::atomic<std::int64_t>>();
        mp::Condition condition;
        const auto acquired = [](mp::Condition& held) {
            try {
                held.acquire();
            } catch (const chorus::OwnerDied&) {
                held.recover();
            }
        };
        parts_.push_back({"notify", 1,
                          [condition, acquired, this](std::uint32_t worker) mutable {
                              std::mt19937 random(worker);
                              for (;;) {
                                  acquired(condition);
                                  if (*tokens < 100) ++*tokens;
                                  random() % 8 == 0 ? condition.notify_all() : condition.notify();
                                  condition.release();
                                  advance();
                              }
                          },
                          counter()});
        parts_.push_back({"wait", 2,
                          [condition, acquired, this](std::uint32_t) mutable {
                              for (;;) {
                                  acquired(condition);
                                  while (*tokens <= 0) {
                                      try {
                                          condition.wait();
                                      } catch (const chorus::OwnerDied&) {
                                          condition.recover();
                                      }
                                  }
                                  --*tokens;
                                  condition.release();
                                  advance();
                              }
                          },
                          counter()});

        mp::Semaphore semaphore(0);
        parts_.push_back({"release", 1,
                          [semaphore, this](std::uint32_t worker) mutable {
                              std::mt19937 random(worker);
                              for (;;) {
                                  if (semaphore.get_value() < 1000)
                                      semaphore.release(1 + static_cast<int>(random() % 3));
                                  advance();
                              }
                          },
                          counter()});
        parts_.push_back({"acquire", 2,
                          [semaphore, this](std::uint32_t) mutable {
                              for (;;) {
                                  semaphore.acquire();
                                  advance();
                              }
                          },
                          counter()});

        // Two events that hand on to each other.
        mp::Event there;
        mp::Event back;
        there.set();
        parts_.push_back({"event", 1,
                          [there, back, this](std::uint32_t) mutable {
                              for (;;) {
                                  there.wait();
                                  there.clear();
                                  back.set();
                                  advance();
                              }
                          },
                          counter(), true});
        parts_.push_back({"event_back", 1,
                          [there, back, this](std::uint32_t) mutable {
                              for (;;) {
                                  // One killed between clear() and set() has taken the turn with it.
                                  if (!back.wait(100ms)) there.set();
                                  back.clear();
                                  there.set();
                                  advance();
                              }
                          },
                          counter()});

        mp::Barrier barrier(3);
        parts_.push_back({"barrier", 3,
                          [barrier, this](std::uint32_t) mutable {
                              for (;;) {
                                  try {
                                      barrier.wait();
                                  } catch (const chorus::BrokenBarrierError&) {
                                      if (barrier.broken()) barrier.reset();
                                  }
                                  advance();
                              }
                          },
                          counter()});
    }

    void advance() { ++*parts_[current_part_].progress; }

    void start(std::size_t part) {
        const std::uint32_t number = next_number_++;
        mp::ForkProcess process([this, part, number] {
            current_part_ = part;
            parts_[part].work(number);
        });
        process.start();
        workers_.push_back({process, part, number});
    }

    // Kills one, or stops one and lets one go on that was stopped.
    void strike() {
        if (next_number_ + 64 >= Ledger::most_producers) return;
        const std::size_t chosen = random_() % workers_.size();
        if (random_() % 8 == 0) {
            ::kill(workers_[chosen].process.pid(), SIGSTOP);
            stopped_.push_back(workers_[chosen].process.pid());
            ++stops_;
        }
        if (!stopped_.empty() && random_() % 4 == 0) {
            ::kill(stopped_.front(), SIGCONT);
            stopped_.erase(stopped_.begin());
        }
        const std::size_t victim = random_() % workers_.size();
        end(victim);
        start(workers_[victim].part);
        workers_[victim] = workers_.back();
        workers_.pop_back();
        ++kills_;
    }

    void end(std::size_t victim) {
        Worker& worker = workers_[victim];
        std::erase(stopped_, worker.process.pid());
        worker.process.kill();
        worker.process.join();
        at_risk_ += doing_[worker.number].items_at_risk;
    }

    // Every part must get on after any kill, except for a stopped process that holds what others need.
    void look_for_the_hung() {
        const auto time = std::chrono::steady_clock::now();
        if (time - last_look_ < patience) return;
        last_look_ = time;
        for (const int pid : stopped_) ::kill(pid, SIGCONT);
        if (!stopped_.empty()) {
            stopped_.clear();
            return;  // a fresh interval for all
        }
        for (std::size_t part = 0; part < parts_.size(); ++part) {
            const std::uint64_t progress = *parts_[part].progress;
            if (progress == seen_[part] && ++still_[part] >= 3) {
                ++hung_;
                std::printf("hung: %s, after %llu kills\n", parts_[part].name,
                            static_cast<unsigned long long>(kills_));
                if (std::getenv("STORM_KEEP") != nullptr) ::raise(SIGSTOP);
            }
            if (progress != seen_[part]) still_[part] = 0;
            seen_[part] = progress;
        }
    }

    // The senders end; what is still in the queues must come out.
    void finish() {
        for (const int pid : stopped_) ::kill(pid, SIGCONT);
        stopped_.clear();
        const auto end_all = [&](auto which) {
            for (std::size_t i = workers_.size(); i-- > 0;) {
                if (!which(std::string(parts_[workers_[i].part].name))) continue;
                end(i);
                workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
            }
        };
        end_all([](const std::string& name) { return !name.starts_with("get") && name != "recv"; });
        if (hung_ == 0) {
            const auto end = std::chrono::steady_clock::now() + 30s;
            const auto drained = [&] { return queues_[0].empty() && queues_[1].empty() && !pipe_[0].poll(); };
            while (!drained() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(5ms);
            if (!drained()) ++hung_;
            std::this_thread::sleep_for(
                50ms);  // for the last one to be noted down; one that is not counts as at risk
        }
        end_all([](const std::string&) { return true; });
    }

    int report() {
        std::uint64_t missing = 0;
        std::uint64_t doubled = 0;
        std::uint64_t torn = 0;
        for (const Ledger* ledger : ledgers_) {
            missing += ledger->missing(next_number_);
            doubled += ledger->doubled;
            torn += ledger->torn;
        }
        const std::uint64_t lost = hung_ != 0 || missing <= at_risk_ ? 0 : missing - at_risk_;
        std::uint64_t operations = 0;
        for (const Part& part : parts_) {
            operations += *part.progress;
            std::printf("%12llu %s\n", static_cast<unsigned long long>(*part.progress), part.name);
        }
        const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
        std::printf(
            "kills %llu, stops %llu, operations %llu; died with their receivers %llu of at most %llu\n",
            number(kills_), number(stops_), number(operations), number(missing), number(at_risk_));
        std::printf("lost %llu, doubled %llu, torn %llu, held twice %llu, hung %llu\n", number(lost),
                    number(doubled), number(torn), number(*held_twice_), number(hung_));
        return lost == 0 && doubled == 0 && torn == 0 && *held_twice_ == 0 && hung_ == 0 && kills_ != 0 ? 0
                                                                                                        : 1;
    }

    static constexpr std::size_t most_workers = Ledger::most_producers;
    static constexpr auto patience = 2s;

    std::mt19937 random_;
    std::vector<Part> parts_;
    std::vector<Worker> workers_;
    std::vector<Ledger*> ledgers_;
    std::vector<mp::Queue<Item>> queues_;
    std::vector<mp::Connection> pipe_;
    Doing* doing_ = nullptr;
    std::atomic<std::uint64_t>* held_twice_ = nullptr;
    std::size_t current_part_ = 0;
    std::uint32_t next_number_ = 0;
    std::vector<int> stopped_;
    std::uint64_t kills_ = 0;
    std::uint64_t stops_ = 0;
    std::uint64_t at_risk_ = 0;
    std::uint64_t hung_ = 0;
    std::uint64_t seen_[32]{};
    int still_[32]{};
    std::chrono::steady_clock::time_point last_look_ = std::chrono::steady_clock::now();
};

}  // namespace

int main(int argc, char** argv) {
    const int seconds = argc > 1 ? std::atoi(argv[1]) : 20;
    const unsigned seed = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : std::random_device{}();
    std::printf("storm of %d s, seed %u\n", seconds, seed);
    std::fflush(stdout);
    return Storm(seed).run(std::chrono::seconds(seconds));
}
