#include <chorus/detail/worker/local_values.hpp>

#include <mutex>

#include "platform/fork_mutex.hpp"
#include "worker/threads.hpp"

namespace chorus::inline v0::detail::worker {
namespace {

// For the values of all locals. Locked when a thread makes a value, and when the thread ends.
platform::ForkMutex& values_mutex() {
    static auto* const instance = new platform::ForkMutex;
    return *instance;
}
// Made before main: a fork while another thread makes it would leave a copy that waits indefinitely.
[[maybe_unused]] auto& values_mutex_made = values_mutex();

}  // namespace

// The values of one thread. Only that thread uses the table, until it ends.
class LocalTable {
public:
    void* find(const LocalValues* local) {
        const auto found = entries_.find(local);
        return found != entries_.end() && !found->second.local.expired() ? found->second.value : nullptr;
    }

    void* add(const std::shared_ptr<LocalValues>& local) {
        if (entries_.size() >= purge_at_) purge();
        auto made = local->make_();
        void* const value = made.get();
        {
            const std::lock_guard guard(values_mutex());
            local->values_[this] = std::move(made);
        }
        entries_[local.get()] = {local, value};
        return value;
    }

    void forget(const LocalValues* local) { entries_.erase(local); }

    // A value's destructor may ask for other values, and even make new ones. Therefore the values are
    // destroyed one at a time, in a few rounds.
    ~LocalTable() {
        for (int round = 0; round < 4 && !entries_.empty(); ++round) {
            for (auto left = entries_.size(); left > 0 && !entries_.empty(); --left) {
                const auto entry = entries_.extract(entries_.begin());
                const auto local = entry.mapped().local.lock();
                if (!local) continue;
                LocalValues::Value value;
                {
                    const std::lock_guard guard(values_mutex());
                    const auto found = local->values_.find(this);
                    if (found == local->values_.end()) continue;
                    value = std::move(found->second);
                    local->values_.erase(found);
                }
            }
        }
    }

private:
    struct Entry {
        std::weak_ptr<LocalValues> local;
        void* value = nullptr;
    };

    // Removes the entries of destroyed locals.
    void purge() {
        std::erase_if(entries_, [](const auto& each) { return each.second.local.expired(); });
        purge_at_ = 2 * entries_.size() + 64;
    }

    std::unordered_map<const LocalValues*, Entry> entries_;
    std::size_t purge_at_ = 64;
};

void* LocalValues::get(const std::shared_ptr<LocalValues>& local) {
    auto* table = static_cast<LocalTable*>(table_of_locals());
    if (table == nullptr) {
        table = new LocalTable;
        keep_table_of_locals(table, [](void* old) {
            // While values are destroyed the table is still the thread's.
            keep_table_of_locals(old, nullptr);
            delete static_cast<LocalTable*>(old);
            keep_table_of_locals(nullptr, nullptr);
        });
    }
    if (void* const value = table->find(local.get())) return value;
    return table->add(local);
}

void LocalValues::clear() {
    if (auto* const table = static_cast<LocalTable*>(table_of_locals())) table->forget(this);
    std::unordered_map<const void*, Value> values;
    const std::lock_guard guard(values_mutex());
    values.swap(values_);
}

}  // namespace chorus::inline v0::detail::worker
