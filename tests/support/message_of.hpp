// What a value prints, and what an exception says, for tests that ask for its type too.
#pragma once

#include <exception>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include <chorus/chorus.hpp>

template <class T>
std::string text_of(const T& value) {
    std::ostringstream out;
    out << value;
    return out.str();
}

/// Runs it, expects that exception, and returns its text.
template <class Exception, class Action>
std::string message_of(Action&& action) {
    try {
        action();
    } catch (const Exception& error) {
        return error.what();
    } catch (const std::exception& error) {
        ADD_FAILURE() << "another exception: " << error.what();
        return "";
    }
    ADD_FAILURE() << "no exception";
    return "";
}

/// The same for the failure of a future.
template <class Exception, class T>
std::string failure_of(const chorus::Future<T>& future) {
    return message_of<Exception>([&] { future.get(std::chrono::seconds(60)); });
}
