// The crews of this process that have begun: the program's end waits for them.
#pragma once

#include <memory>

#include <chorus/detail/pool/crew.hpp>

namespace chorus::pool {

/// The crew is finished, with all its work done, before the program ends.
void finish_at_the_end(const std::shared_ptr<Crew>& crew);

}  // namespace chorus::pool
