// The start method spawn: the program is executed anew.
//
// Parent: the request goes into an anonymous file, whose descriptor the new image inherits
// (reexec.hpp). Nothing is copied, so the parent's size and threads do not matter. Child: the wrapped
// main finds that it was executed as a child, takes the request from the file, and calls child_main()
// instead of the user's main.
//
// Invariants:
// 1. The kernel makes the child's handle together with the child (CLONE_PIDFD): no gate is needed.
// 2. The image inherits the parent's streams, directory, environment and resource limits. The request
//    holds none of them.
#include "worker/start_spawn.hpp"

#include <mutex>
#include <utility>

#include "platform/environment.hpp"
#include "worker/parent_pages.hpp"
#include "worker/start_child.hpp"

namespace chorus::inline v0::detail::worker {

StartedChild start_by_spawn(ChildRequest request, message::Call& call, int report) {
    auto& parent = parent_pages();
    ExitSlot exit;
    int pages = -1;
    {
        const std::lock_guard guard(parent.mutex);
        parent.ready();
        exit = ExitSlot(parent.exits);
        pages = parent.segment->descriptor();
    }
    request.exit_word = exit.number();
    EncodedRequest encoded(request, call);
    encoded.move_to_file();
    auto child = execute_image(Role::spawned_child, encoded.file(), report, platform::current_environment(),
                               request.mask, pages, encoded.attachments());
    return {child.pid, std::move(child.process), std::move(exit)};
}

std::unique_ptr<ChildSetup> become_spawned_child(Inheritance& inheritance) {
    auto child = std::make_unique<ChildSetup>(std::move(inheritance.first), std::move(inheritance.second),
                                              message::Attachments(std::move(inheritance.attachments)));
    child->settle_in();
    tell_end_in_parent_pages(std::move(inheritance.parent_pages), child->request().exit_word);
    return child;
}

}  // namespace chorus::inline v0::detail::worker
