#include "values.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include <proton/binary.hpp>
#include <proton/codec/decoder.hpp>
#include <proton/codec/encoder.hpp>
#include <proton/decimal.hpp>
#include <proton/null.hpp>
#include <proton/scalar.hpp>
#include <proton/symbol.hpp>
#include <proton/timestamp.hpp>
#include <proton/type_id.hpp>
#include <proton/uuid.hpp>
#include <proton/value.hpp>

namespace tanist {

namespace {

const std::string KEY = "value"; // of the property, or of the entry of a map, that has the value

const std::map<std::string, proton::type_id> TYPES{
    {"null", proton::NULL_TYPE},      {"boolean", proton::BOOLEAN},     {"ubyte", proton::UBYTE},
    {"ushort", proton::USHORT},       {"uint", proton::UINT},           {"ulong", proton::ULONG},
    {"byte", proton::BYTE},           {"short", proton::SHORT},         {"int", proton::INT},
    {"long", proton::LONG},           {"float", proton::FLOAT},         {"double", proton::DOUBLE},
    {"decimal32", proton::DECIMAL32}, {"decimal64", proton::DECIMAL64}, {"decimal128", proton::DECIMAL128},
    {"char", proton::CHAR},           {"timestamp", proton::TIMESTAMP}, {"uuid", proton::UUID},
    {"binary", proton::BINARY},       {"string", proton::STRING},       {"symbol", proton::SYMBOL}};

const std::string& name_of(proton::type_id wanted) {
    for (const auto& [name, type] : TYPES) {
        if (type == wanted) {
            return name;
        }
    }
    throw std::invalid_argument("the library handed out " + proton::type_name(wanted));
}

std::vector<std::uint8_t> from_hex(const std::string& text) {
    std::vector<std::uint8_t> octets;
    std::string digits;
    for (const char c : text) {
        if (c != '-') {
            digits.push_back(c);
        }
    }
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        octets.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
    }
    return octets;
}

template <class Octets> std::string to_hex(const Octets& octets) {
    constexpr const char* DIGITS = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t octet : octets) {
        text += DIGITS[octet >> 4];
        text += DIGITS[octet & 15];
    }
    return text;
}

// A float of the library's, or an array of octets, of its octets in network order.
template <class Number, class Bits> Number number_of(const std::string& text) {
    const auto bits = static_cast<Bits>(std::stoull(text, nullptr, 16));
    Number number{};
    static_assert(sizeof number == sizeof bits);
    std::memcpy(&number, &bits, sizeof number);
    return number;
}

template <class Number, class Bits> std::string bits_of(Number number) {
    Bits bits{};
    std::memcpy(&bits, &number, sizeof bits);
    std::array<std::uint8_t, sizeof(Bits)> octets{};
    for (std::size_t i = 0; i < octets.size(); i++) {
        octets.at(octets.size() - 1 - i) = static_cast<std::uint8_t>(bits >> (8 * i));
    }
    return to_hex(octets);
}

// The library's small decimals are arrays of octets, in the order of this machine's integers.
template <class Decimal> Decimal native(Decimal decimal) {
    const std::uint16_t one = 1;
    if (*reinterpret_cast<const std::uint8_t*>(&one) == 1) {
        std::reverse(decimal.begin(), decimal.end());
    }
    return decimal;
}

template <class Octets> Octets octets_of(const std::string& text) {
    const auto octets = from_hex(text);
    Octets out{};
    if (octets.size() != out.size()) {
        throw std::invalid_argument("not the right number of octets: " + text);
    }
    std::copy(octets.begin(), octets.end(), out.begin());
    return out;
}

proton::scalar read_scalar(proton::type_id type, const std::string& text) {
    switch (type) {
    case proton::NULL_TYPE: return proton::scalar();
    case proton::BOOLEAN: return text == "true";
    case proton::UBYTE: return static_cast<std::uint8_t>(std::stoul(text));
    case proton::USHORT: return static_cast<std::uint16_t>(std::stoul(text));
    case proton::UINT: return static_cast<std::uint32_t>(std::stoul(text));
    case proton::ULONG: return static_cast<std::uint64_t>(std::stoull(text));
    case proton::BYTE: return static_cast<std::int8_t>(std::stol(text));
    case proton::SHORT: return static_cast<std::int16_t>(std::stol(text));
    case proton::INT: return static_cast<std::int32_t>(std::stol(text));
    case proton::LONG: return static_cast<std::int64_t>(std::stoll(text));
    case proton::FLOAT: return number_of<float, std::uint32_t>(text);
    case proton::DOUBLE: return number_of<double, std::uint64_t>(text);
    case proton::DECIMAL32: return native(octets_of<proton::decimal32>(text));
    case proton::DECIMAL64: return native(octets_of<proton::decimal64>(text));
    case proton::DECIMAL128: return octets_of<proton::decimal128>(text);
    case proton::CHAR: return static_cast<wchar_t>(std::stoul(text));
    case proton::TIMESTAMP: return proton::timestamp(std::stoll(text));
    case proton::UUID: return octets_of<proton::uuid>(text);
    case proton::BINARY: return proton::binary(from_hex(text));
    case proton::STRING: return text;
    default: return proton::symbol(text);
    }
}

void read(proton::codec::encoder& out, const json& value) {
    const std::string type = value.at("type");
    const json& inner = value.at("value");
    if (type == "list") {
        out << proton::codec::start::list();
    } else if (type == "map") {
        out << proton::codec::start::map();
    } else if (type == "array") {
        out << proton::codec::start::array(TYPES.at(inner.at(0).at("type")));
    } else if (type == "described") {
        out << proton::codec::start::described();
    } else {
        const proton::scalar scalar = read_scalar(TYPES.at(type), inner);
        if (scalar.type() == proton::NULL_TYPE) {
            out << proton::null();
        } else {
            out << scalar;
        }
        return;
    }
    for (const json& item : inner) {
        if (type == "map") {
            read(out, item.at(0));
            read(out, item.at(1));
        } else {
            read(out, item);
        }
    }
    out << proton::codec::finish();
}

std::string write_scalar(const proton::scalar& given) {
    switch (given.type()) {
    case proton::NULL_TYPE: return "";
    case proton::BOOLEAN: return proton::get<bool>(given) ? "true" : "false";
    case proton::UBYTE:
    case proton::USHORT:
    case proton::UINT:
    case proton::ULONG: return std::to_string(proton::coerce<std::uint64_t>(given));
    case proton::FLOAT: return bits_of<float, std::uint32_t>(proton::get<float>(given));
    case proton::DOUBLE: return bits_of<double, std::uint64_t>(proton::get<double>(given));
    case proton::DECIMAL32: return to_hex(native(proton::get<proton::decimal32>(given)));
    case proton::DECIMAL64: return to_hex(native(proton::get<proton::decimal64>(given)));
    case proton::DECIMAL128: return to_hex(proton::get<proton::decimal128>(given));
    case proton::CHAR: return std::to_string(static_cast<std::uint32_t>(proton::get<wchar_t>(given)));
    case proton::TIMESTAMP: return std::to_string(proton::get<proton::timestamp>(given).milliseconds());
    case proton::UUID: return proton::get<proton::uuid>(given).str();
    case proton::BINARY: return to_hex(proton::get<proton::binary>(given));
    case proton::STRING: return proton::get<std::string>(given);
    case proton::SYMBOL: return proton::get<proton::symbol>(given);
    default: return std::to_string(proton::coerce<std::int64_t>(given));
    }
}

json simple(const proton::scalar& given) { return {{"type", name_of(given.type())}, {"value", write_scalar(given)}}; }

json write(proton::codec::decoder& in) {
    const proton::type_id type = in.next_type();
    if (!proton::type_id_is_container(type) && type != proton::DESCRIBED) {
        proton::scalar given;
        if (type == proton::NULL_TYPE) {
            proton::null nothing;
            in >> nothing;
        } else {
            in >> given;
        }
        return simple(given);
    }
    proton::codec::start begun;
    in >> begun;
    json inner = json::array();
    const std::size_t size = type == proton::DESCRIBED ? 2 : begun.size;
    for (std::size_t i = 0; i < size; i++) {
        json item = write(in);
        if (type == proton::MAP) {
            item = json::array({item, write(in)});
            i++;
        }
        inner.push_back(item);
    }
    in >> proton::codec::finish();
    const std::string name = type == proton::LIST ? "list" : type == proton::MAP ? "map" : type == proton::ARRAY ? "array" : "described";
    return {{"type", name}, {"value", inner}};
}

} // namespace

proton::message value_message(const std::string& place, const json& value) {
    proton::message message;
    if (place == "property") {
        message.properties().put(KEY, read_scalar(TYPES.at(value.at("type")), value.at("value")));
        message.body(std::string());
        return message;
    }
    const json entry{{"type", "string"}, {"value", KEY}};
    const json map{{"type", "map"}, {"value", json::array({json::array({entry, value})})}};
    proton::codec::encoder out(message.body());
    read(out, place == "map" ? map : value);
    return message;
}

json found_value(const std::string& place, const proton::message& received) {
    if (place == "property") {
        if (!received.properties().exists(KEY)) {
            throw std::invalid_argument("there is no such property");
        }
        return simple(received.properties().get(KEY));
    }
    if (received.body().empty()) { // the library does not tell null from no body
        return simple(proton::scalar());
    }
    proton::codec::decoder in(received.body());
    const json body = write(in);
    return place == "map" ? body.at("value").at(0).at(1) : body;
}

} // namespace tanist
