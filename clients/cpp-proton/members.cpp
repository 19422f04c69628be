#include "members.hpp"

#include <iostream>
#include <map>
#include <utility>

#include <proton/annotation_key.hpp>
#include <proton/codec/map.hpp>
#include <proton/codec/vector.hpp>
#include <proton/error_condition.hpp>
#include <proton/receiver_options.hpp>
#include <proton/source.hpp>
#include <proton/value.hpp>

namespace tanist {

namespace {

const std::string EXCHANGE = "amq.failover";
const std::string SCHEME = "amqp:tcp:";

// A header that AMQP 1.0 does not allow as a property comes in this annotation, in the map `headers`.
const std::string ANNOTATION = "x-opt-amqp-0-10";

using Map = std::map<std::string, proton::value>;

// Throws conversion_error, out_of_range.
std::vector<std::string> members_in(const proton::message& message) {
    const auto annotation = proton::get<Map>(message.message_annotations().get(ANNOTATION));
    const auto headers = proton::get<Map>(annotation.at("headers"));
    std::vector<std::string> urls;
    for (const auto& member : proton::get<std::vector<std::string>>(headers.at(EXCHANGE))) {
        if (member.compare(0, SCHEME.size(), SCHEME) == 0) {
            urls.push_back("amqp://" + member.substr(SCHEME.size()));
        }
    }
    return urls;
}

} // namespace

MembersTask::MembersTask(Home& home, Told told)
    : Task(home, json{{"id", 0}, {"queue", EXCHANGE}}), told_(std::move(told)) {}

void MembersTask::open_link(proton::session session) {
    proton::receiver_options options;
    options.name(home_.link_name(id_)).handler(*this).credit_window(0).auto_accept(false);
    receiver_ = session.open_receiver(queue_, options);
}

void MembersTask::on_receiver_open(proton::receiver& receiver) {
    if (receiver == receiver_) {
        opened(receiver.source().address().empty());
    }
}

void MembersTask::on_receiver_error(proton::receiver& receiver) {
    if (receiver == receiver_) {
        failed(receiver.error().what());
    }
}

void MembersTask::on_message(proton::delivery& delivery, proton::message& message) {
    if (is_over() || !(delivery.receiver() == receiver_)) {
        return;
    }
    delivery.accept();
    receiver_.add_credit(1);
    try {
        told_(members_in(message));
    } catch (const std::exception& error) {
        std::cerr << EXCHANGE << ": " << error.what() << std::endl;
    }
}

void MembersTask::work() {
    if (stopping_) {
        end("");
    }
}

void MembersTask::report_end(const std::string& reason) {
    if (!reason.empty()) {
        std::cerr << EXCHANGE << ": " << reason << std::endl;
    }
}

} // namespace tanist
