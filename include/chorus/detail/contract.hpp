// Keeps programs to the contract: chorus/detail/ is reached through a header of the contract only, each of
// which includes chorus/version.hpp first. Included anew by each header there. The library, and tests that
// look inside it, define CHORUS_LOOKS_INSIDE.
#if !defined(CHORUS_VERSION) && !defined(CHORUS_LOOKS_INSIDE)
#error "chorus/detail/ is not for programs, and changes without notice: include <chorus/NAME.hpp> instead"
#include <chorus_detail_is_not_for_programs>
#endif
