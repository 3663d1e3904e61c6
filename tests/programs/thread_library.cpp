#include <programs/thread_library.hpp>

void work_in_library() {}

static void work_hidden_in_library() {}
void (*hidden_work_in_library())() { return work_hidden_in_library; }
