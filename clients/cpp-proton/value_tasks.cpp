#include "value_tasks.hpp"

#include <proton/error_condition.hpp>
#include <proton/receiver_options.hpp>
#include <proton/sender_options.hpp>
#include <proton/source.hpp>
#include <proton/tracker.hpp>

#include "values.hpp"

namespace tanist {

PutTask::PutTask(Home& home, const json& request)
    : OutgoingTask(home, request), message_(value_message(request.at("place"), request.at("value"))) {}

void PutTask::open_link(proton::session session) {
    sent_ = false;
    sender_ = session.open_sender(queue_, proton::sender_options().name(home_.link_name(id_)).handler(*this));
}

void PutTask::on_sendable(proton::sender& sender) {
    if (sender == sender_ && !sent_) {
        sent_ = true;
        sender_.send(message_);
    }
}

void PutTask::on_tracker_accept(proton::tracker&) { end(""); }

void PutTask::on_tracker_settle(proton::tracker&) { end("not accepted"); }

void PutTask::report_end(const std::string& reason) {
    if (reason.empty()) {
        home_.report().reply("done", id_);
    } else {
        home_.report().reply("failed", id_, {{"reason", reason}});
    }
}

TakeTask::TakeTask(Home& home, const json& request) : Task(home, request) {
    home.later(static_cast<int>(1000 * request.value("timeout_s", 5.0)), [this] { end("no message came"); });
}

void TakeTask::open_link(proton::session session) {
    proton::receiver_options options;
    options.name(home_.link_name(id_)).handler(*this).credit_window(0).auto_accept(false);
    receiver_ = session.open_receiver(queue_, options);
}

void TakeTask::on_receiver_open(proton::receiver& receiver) {
    if (receiver == receiver_) {
        opened(receiver.source().address().empty());
    }
}

void TakeTask::on_receiver_error(proton::receiver& receiver) {
    if (receiver == receiver_) {
        failed(receiver.error().what());
    }
}

void TakeTask::on_message(proton::delivery& delivery, proton::message& message) {
    if (is_over() || !(delivery.receiver() == receiver_)) {
        return;
    }
    delivery.accept();
    try {
        value_ = found_value(request_.at("place"), message);
        end("");
    } catch (const std::exception& error) {
        end(error.what());
    }
}

void TakeTask::report_end(const std::string& reason) {
    if (reason.empty()) {
        home_.report().reply("taken", id_, {{"value", value_}});
    } else {
        home_.report().reply("failed", id_, {{"reason", reason}});
    }
}

} // namespace tanist
