// A function with its arguments: kept to be called here, or written as bytes and called elsewhere.
//
// Layout of a written call: identity of its entry, the function (nothing for a stateless one), the
// arguments. The entry is the one piece of code that knows their types; finding it is finding all.
//
// Thread safety: one thread at a time for each object.
#pragma once

#include <chorus/detail/contract.hpp>

#include <concepts>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <chorus/detail/message/arguments.hpp>
#include <chorus/detail/message/encoding.hpp>
#include <chorus/detail/message/invocable.hpp>
#include <chorus/keyword.hpp>

#pragma GCC visibility push(default)  // the shared library shows what is declared here

namespace chorus::inline v0 {

// Never defined: their names are what the compiler prints.
struct pass_a_lambda_without_captures_that_calls_the_member;
template <class Member, class... WhatToDo>
struct pointer_to_a_member_cannot_travel_to_another_process;
template <class Callable, class... Args>
struct function_cannot_be_called_with_these_arguments;
struct pass_each_of_its_elements_as_an_argument;
template <class Function, class TupleOrArray, class WhatToDo>
struct function_takes_its_arguments_one_by_one;
struct pass_a_std_vector_or_std_to_array_of_it;
template <class Array, class WhatToDo>
struct array_would_travel_as_a_pointer;

namespace detail::message {

/// A call whose types only its maker knows.
class Call {
public:
    virtual ~Call() = default;
    /// Runs the function with its arguments, which are used up. Writes the value if asked to.
    virtual void invoke(Writer* result) = 0;
    /// Writes the call. Throws: UsageError if it was made to stay in this process.
    virtual void encode(Writer& out) const = 0;
    /// The function's name as a person wrote it; "" for a nameless object.
    virtual std::string function_name() const = 0;
};

/// A call that came as bytes. The function is looked for at once, but if it is not found that is told
/// when it is to be run: like anything else that goes wrong with it.
class WrittenCall final : public Call {
public:
    explicit WrittenCall(Reader call) noexcept;
    /// Throws: what the look-up threw, DecodeError for bad arguments, what the function throws.
    void invoke(Writer* result) override;
    void encode(Writer&) const override { throw UsageError("a call that came as bytes is not sent on"); }
    std::string function_name() const override { return ""; }

private:
    using Entry = void (*)(Reader&, Writer*);

    Reader call_;
    Entry entry_ = nullptr;
    std::exception_ptr not_found_;
};

[[noreturn]] void refuse_to_write_local_call();

/// Finds a function's name: `work`, `<lambda>`, or "" when there is none to be found.
std::string name_of_function(const void* code);
std::string name_of_type(const std::type_info& type);
/// As a person writes it: for messages.
std::string readable_type(const std::type_info& type);
/// The same in each process of the program, and for no two types but by a rare accident; never 0.
std::uint64_t type_number(const std::type_info& type) noexcept;

// A stateless callable is its type; another one travels like any value.
template <class T>
concept Stateless = std::is_empty_v<T> && std::is_default_constructible_v<T>;

template <class T>
concept TravellingCallable =
    FunctionPointer<T> || Stateless<T> || HasCodec<T> || KnownToCereal<T> || Aggregate<T>;

// Text given as a literal travels as std::string; a function may still take it as const char*.
struct Text {
    std::string text;
    operator const char*() const noexcept { return text.c_str(); }
    operator std::string_view() const noexcept { return text; }
    operator std::string() && noexcept { return std::move(text); }
};

template <class T>
using Travelling =
    std::conditional_t<std::is_same_v<std::decay_t<T>, const char*> || std::is_same_v<std::decay_t<T>, char*>,
                       std::string, std::decay_t<T>>;

template <class T>
decltype(auto) as_text(T& argument) {
    if constexpr (std::is_same_v<T, std::string>) {
        return Text{std::move(argument)};
    } else {
        return std::move(argument);
    }
}

template <class T>
using AsText = std::conditional_t<std::is_same_v<T, std::string>, Text, T>;

// Values are handed over as std::thread does; failing that as C text, or as what they are: a copy
// which the function may change in its own process.
template <class Function, std::size_t... place, class... Args>
decltype(auto) call_with(Function& function,
                         [[maybe_unused]] PlacedArguments<std::index_sequence<place...>, Args...>& args) {
    if constexpr (Invocable<Function&, Args...>) {
        return invoke_function(function, static_cast<Args&&>(args.template get<place, Args>())...);
    } else if constexpr (Invocable<Function&, AsText<Args>...>) {
        return invoke_function(function, as_text(args.template get<place, Args>())...);
    } else {
        return invoke_function(function, args.template get<place, Args>()...);
    }
}

template <class Function, class... Args>
constexpr bool callable_with =
    Invocable<Function&, Args...> || Invocable<Function&, AsText<Args>...> || Invocable<Function&, Args&...>;

template <class Function, class... Args>
using ResultOf =
    std::decay_t<decltype(call_with(std::declval<Function&>(), std::declval<Arguments<Args...>&>()))>;

template <class Result, class Function, class Kept>
void call_and_write(Function& function, Kept& args, Writer* result) {
    if constexpr (std::is_void_v<Result>) {
        call_with(function, args);
    } else {
        const Result value = call_with(function, args);
        if (result != nullptr) encode(*result, value);
    }
}

template <class Function>
Function read_callable(Reader& in) {
    if constexpr (Stateless<Function>) {
        return Function{};
    } else {
        return decode<Function>(in);
    }
}

// What another process runs: its address is the identity of the whole call.
template <class Function, class... Args>
void enter(Reader& call, Writer* result) {
    auto function = read_callable<Function>(call);
    Arguments<Args...> args(call);
    if (call.attachments() != nullptr) call.attachments()->close();  // what was not needed
    call_and_write<ResultOf<Function, Args...>>(function, args, result);
}

// A callable made around another function is known by that one's name.
template <class T>
concept Wrapper =
    requires(const T& wrapper) { requires std::is_lvalue_reference_v<decltype(wrapper.wrapped())>; };

template <class Function>
std::string name_of(const Function& function) {
    if constexpr (Wrapper<Function>) {
        return name_of(function.wrapped());
    } else if constexpr (FunctionPointer<Function>) {
        return name_of_function(reinterpret_cast<const void*>(function));
    } else if constexpr (std::is_member_function_pointer_v<Function>) {
        const void* code =
            nullptr;  // the first word; a virtual function has an odd number there, and no one name
        std::memcpy(&code, &function, sizeof code);
        return reinterpret_cast<std::uintptr_t>(code) % 2 == 0 ? name_of_function(code) : "";
    } else {
        return name_of_type(typeid(Function));
    }
}

/// A function with its arguments. TypedCall hides the types.
template <bool Travels, class Function, class... Args>
class BoundFunction {
public:
    template <class F, class... A>
    explicit BoundFunction(F&& function, A&&... args)
        : function_(static_cast<F&&>(function)), args_(std::in_place, static_cast<A&&>(args)...) {}

    /// Calls the function and returns its result. The arguments are moved from.
    decltype(auto) call() { return call_with(function_, args_); }

    void call_and_write(Writer* result) {
        if constexpr (Travels) {
            message::call_and_write<ResultOf<Function, Args...>>(function_, args_, result);
        } else {
            call_with(function_, args_);
        }
    }

    /// Throws: UsageError if it was made to stay in this process.
    void encode(Writer& out) const {
        if constexpr (Travels) {
            write_function(out, reinterpret_cast<const void*>(&enter<Function, Args...>));
            if constexpr (!Stateless<Function>) message::encode(out, function_);
            args_.write(out);
        } else {
            refuse_to_write_local_call();
        }
    }

    std::string function_name() const { return name_of(function_); }

private:
    [[no_unique_address]] Function function_;
    [[no_unique_address]] Arguments<Args...> args_;
};

template <bool Travels, class Function, class... Args>
class TypedCall final : public Call {
public:
    template <class F, class... A>
    explicit TypedCall(F&& function, A&&... args)
        : bound_(static_cast<F&&>(function), static_cast<A&&>(args)...) {}

    void invoke(Writer* result) override { bound_.call_and_write(result); }
    void encode(Writer& out) const override { bound_.encode(out); }
    std::string function_name() const override { return bound_.function_name(); }

private:
    BoundFunction<Travels, Function, Args...> bound_;
};

// A function made by named(), without the names: they have done their duty once the arguments stand in
// the order of the parameters.
template <class T>
constexpr bool is_named = false;
template <class Function, fixed_string... Names>
constexpr bool is_named<Named<Function, Names...>> = true;

template <class Function>
decltype(auto) without_names(Function&& function) {
    if constexpr (is_named<std::remove_cvref_t<Function>>) {
        return (function.function);
    } else {
        return std::forward<Function>(function);
    }
}
template <class Function>
using WithoutNames = std::decay_t<decltype(without_names(std::declval<std::decay_t<Function>&>()))>;

// An array that is no text decays to a pointer, which means nothing in another process.
template <class Arg, class Value = std::remove_reference_t<Arg>>
constexpr bool is_array_of_values =
    std::is_bounded_array_v<Value> && !std::is_same_v<std::remove_cv_t<std::remove_extent_t<Value>>, char>;

// Python's `args` in one piece: the function would take the elements, and not the tuple or array of them.
template <class Function, class... Args>
constexpr bool takes_elements_of = false;
template <class Function, class Tuple>
    requires requires { std::tuple_size<std::remove_cvref_t<Tuple>>::value; }
constexpr bool takes_elements_of<Function, Tuple> = []<std::size_t... i>(std::index_sequence<i...>) {
    return Invocable<Function&, std::tuple_element_t<i, std::remove_cvref_t<Tuple>>...>;
}(std::make_index_sequence<std::tuple_size_v<std::remove_cvref_t<Tuple>>>());

template <class Function, class... Args>
void refuse_arguments() {
    if constexpr (takes_elements_of<Function, Args...>) {
        (void)sizeof(function_takes_its_arguments_one_by_one<Function, Args...,
                                                             pass_each_of_its_elements_as_an_argument>);
    } else {
        (void)sizeof(function_cannot_be_called_with_these_arguments<Function, Args...>);
    }
}

// Stands for the value of a call that does not compile, and fits everywhere: one mistake, one message.
struct RefusedCall {
    template <class T>
    operator T() const;
};

template <class Function, class Arguments>
struct TravellingShape;
template <class Function, class... Each>
struct TravellingShape<Function, Types<Each...>> {
    static constexpr bool callable = callable_with<Function, Travelling<Each>...>;
    template <class Other>
    using ResultFor = ResultOf<Other, Travelling<Each>...>;
};

template <class Function, class Arguments>
struct LocalShape;
template <class Function, class... Each>
struct LocalShape<Function, Types<Each...>> {
    static constexpr bool callable =
        Invocable<Function&, std::decay_t<Each>...> || Invocable<Function&, std::decay_t<Each>&...>;
};

template <class Function, class... Args>
using Arranged = typename Arrange<std::decay_t<Function>>::template Arranged<Args...>;

/// Everything about the call is right: keywords, types, callability.
template <class Function, class... Args>
constexpr bool can_travel() {
    if constexpr (!TravellingCallable<WithoutNames<Function>> || (is_array_of_values<Args> || ...) ||
                  !Arrange<std::decay_t<Function>>::template right<Args...>) {
        return false;
    } else {
        return TravellingShape<WithoutNames<Function>, Arranged<Function, Args...>>::callable;
    }
}

/// The same for a call that stays in this process.
template <class Function, class... Args>
constexpr bool can_be_called_here() {
    if constexpr (!Arrange<std::decay_t<Function>>::template right<Args...>) {
        return false;
    } else {
        return LocalShape<WithoutNames<Function>, Arranged<Function, Args...>>::callable;
    }
}

/// Keeps a call that can be run in this process (or a forked copy of it). Takes anything.
template <class Function, class... Args>
std::unique_ptr<Call> make_local_call(Function&& function, Args&&... args) {
    using Stored = WithoutNames<Function>;
    using Arrangement = Arrange<std::decay_t<Function>>;
    if constexpr (!Arrangement::template right<Args...>) {
        Arrangement::template refuse<Args...>();
        return nullptr;
    } else {
        return Arrangement::pass_to(
            [&]<class... Each>(Each&&... each) -> std::unique_ptr<Call> {
                if constexpr (LocalShape<Stored, Types<Each&&...>>::callable) {
                    return std::unique_ptr<Call>(new TypedCall<false, Stored, std::decay_t<Each>...>(
                        without_names(std::forward<Function>(function)), std::forward<Each>(each)...));
                } else {
                    refuse_arguments<Stored, std::decay_t<Each>...>();
                    return nullptr;
                }
            },
            std::forward<Args>(args)...);
    }
}

/// Keeps a call that can also be written for another process.
template <class Function, class... Args>
std::unique_ptr<Call> make_travelling_call(Function&& function, Args&&... args) {
    using Stored = WithoutNames<Function>;
    using Arrangement = Arrange<std::decay_t<Function>>;
    if constexpr (std::is_member_pointer_v<Stored>) {
        (void)sizeof(pointer_to_a_member_cannot_travel_to_another_process<
                     Stored, pass_a_lambda_without_captures_that_calls_the_member,
                     or_use_ForkProcess_which_takes_anything>);
        return nullptr;
    } else if constexpr (!TravellingCallable<Stored>) {
        (void)sizeof(capturing_lambda_or_other_callable_with_state_cannot_travel_to_another_process<
                     Stored, pass_what_it_captures_as_arguments, or_use_ForkProcess_which_takes_anything>);
        return nullptr;
    } else if constexpr ((is_array_of_values<Args> || ...)) {
        const auto refuse = []<class Arg>(std::type_identity<Arg>) {
            if constexpr (is_array_of_values<Arg>)
                (void)sizeof(array_would_travel_as_a_pointer<std::remove_reference_t<Arg>,
                                                             pass_a_std_vector_or_std_to_array_of_it>);
        };
        (refuse(std::type_identity<Args>()), ...);
        return nullptr;
    } else if constexpr (!Arrangement::template right<Args...>) {
        Arrangement::template refuse<Args...>();
        return nullptr;
    } else {
        return Arrangement::pass_to(
            [&]<class... Each>(Each&&... each) -> std::unique_ptr<Call> {
                if constexpr (callable_with<Stored, Travelling<Each>...>) {
                    return std::unique_ptr<Call>(new TypedCall<true, Stored, Travelling<Each>...>(
                        without_names(std::forward<Function>(function)), std::forward<Each>(each)...));
                } else {
                    refuse_arguments<Stored, Travelling<Each>...>();
                    return nullptr;
                }
            },
            std::forward<Args>(args)...);
    }
}

/// The decayed type that a travelling call of the function with these arguments gives. A call that is not
/// right is refused where it is made.
template <class Function, class... Args>
struct CallResult {
    static auto of() {
        if constexpr (can_travel<Function, Args...>()) {
            using Shape = TravellingShape<WithoutNames<Function>, Arranged<Function, Args...>>;
            return std::type_identity<typename Shape::template ResultFor<WithoutNames<Function>>>{};
        } else {
            return std::type_identity<RefusedCall>{};
        }
    }
    using type = typename decltype(of())::type;
};

}  // namespace detail::message
}  // namespace chorus::inline v0

#pragma GCC visibility pop
