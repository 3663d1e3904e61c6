#include <chorus/detail/pool/task.hpp>

namespace chorus::inline v0::detail::pool {

void Task::run() noexcept {
    try {
        call();
    } catch (...) {
        drop_call();
        future().set_error(std::current_exception());
    }
}

}  // namespace chorus::inline v0::detail::pool
