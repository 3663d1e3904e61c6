// The backends of this process that have begun. The program's end waits for them.
//
// Thread safety: any thread.
// Crash safety: a copy of the process made by fork finishes none of them.
#pragma once

#include <memory>

#include <chorus/detail/pool/backend.hpp>

namespace chorus::inline v0::detail::pool {

/// The backend is finished, with all its work done, before the program ends.
void finish_at_the_end(const std::shared_ptr<Backend>& backend);

}  // namespace chorus::inline v0::detail::pool
