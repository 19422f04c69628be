// Values of `put` and `take`: between docs/client-protocol.md's notation and what Proton works with.

#pragma once

#include <string>

#include <proton/message.hpp>

#include "reporter.hpp"

namespace tanist {

// A message with the value in that place. Throws for a type that there is not.
proton::message value_message(const std::string& place, const json& value);

// The value in that place of a message. Throws if it is not there.
json found_value(const std::string& place, const proton::message& received);

} // namespace tanist
