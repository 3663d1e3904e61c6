// A host that was not linked with Chorus's entry.
#include <support/run_program.hpp>
#include <support/start_methods.hpp>

namespace {

TEST(NoEntry, copies_have_lives_of_their_own) {
    const auto result = run_program({test_program("no_entry")});
    EXPECT_EQ(result.out, "held by another\nheld by another\nacquired\nits owner has died\n49\n")
        << result.err;
}

}  // namespace
