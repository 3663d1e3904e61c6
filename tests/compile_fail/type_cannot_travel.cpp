// error: type_cannot_travel_to_another_process
// error: Connection
// error: give_it_a_cereal_serialize_function
// error: or_make_it_an_aggregate_of_types_that_travel
// error: or_specialise_chorus_codec_for_it

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

class Connection {
public:
    Connection() : number_(1) {}
    int number() const { return number_; }

private:
    int number_;
};
void use(const Connection&) {}

int main() { mp::Process process(use, Connection()); }
