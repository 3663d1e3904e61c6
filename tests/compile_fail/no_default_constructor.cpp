// error: type_without_default_constructor_cannot_travel
// error: Connection

#include <chorus/chorus.hpp>

namespace mp = chorus::multiprocessing;

class Connection {
public:
    explicit Connection(int number) : number_(number) {}
    template <class Archive>
    void serialize(Archive& archive) {
        archive(number_);
    }

private:
    int number_;
};
void use(const Connection&) {}

int main() { mp::Process process(use, Connection(5)); }
