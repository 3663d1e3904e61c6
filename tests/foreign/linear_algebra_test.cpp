// OpenBLAS, whose threads are there before main.
#include <support/run_program.hpp>
#include <support/start_methods.hpp>

namespace {

class LinearAlgebra : public EachStartMethod {};
FOR_EACH_START_METHOD(LinearAlgebra);

TEST_P(LinearAlgebra, gives_the_same_in_every_child) {
    const auto result = run_program({test_program("matrix_product"), method()});
    EXPECT_EQ(result.out, "the same in a child the same in a pool\n") << result.err;
}

}  // namespace
