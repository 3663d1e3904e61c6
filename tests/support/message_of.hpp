// What an exception says, for tests that ask for its type too.
#pragma once

#include <exception>
#include <string>

#include <gtest/gtest.h>

#include <chorus/chorus.hpp>

/// Runs it, expects that exception, and gives its text.
template <class Exception, class Action>
std::string message_of_exception(Action&& action) {
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

/// The same for what becomes of a future.
template <class Exception, class T>
std::string failure_of(const chorus::Future<T>& future) {
    return message_of_exception<Exception>([&] { future.get(std::chrono::seconds(60)); });
}
