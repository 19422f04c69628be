// A client program of the drill: qpid::messaging of Apache Qpid C++ (AMQP 1.0, or 0-10 with the option
// `protocol` = `amqp0-10`).
//
// Reads requests from stdin and writes replies and events to stdout, as docs/client-protocol.md says;
// free text goes to stderr. Started by `run` beside this file. Tasks are in tasks.hpp, lines in
// ../cpp-common/reporter.hpp; here are the requests and the life of the connection. The library tells
// nobody that it lost its connection, so a thread looks every 20 ms to which broker it is connected.

#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/utsname.h>

#include <qpid/messaging/Connection.h>
#include <qpid/messaging/Sender.h>
#include <qpid/messaging/Session.h>
#include <qpid/types/Variant.h>

#include "reporter.hpp"
#include "tasks.hpp"

namespace tanist {

namespace {

using qpid::messaging::Connection;
using qpid::types::Variant;

constexpr int PROTOCOL = 2;
constexpr auto LOOK = std::chrono::milliseconds(20);
constexpr auto RETRY = std::chrono::milliseconds(200);
constexpr int ATTEMPTS_MAX = 100; // at opening a connection anew

constexpr std::int64_t TASKS_NS = 1'000'000'000;         // for the tasks to end, and
constexpr auto CLOSE = std::chrono::milliseconds(800);   // for the connection afterwards; 2 s are allowed in all

const std::vector<std::string> CAPABILITIES{"send",        "receive",           "heartbeat", "reconnect", "resend",
                                            "redelivered", "connection_events", "reopen",    "auth"};

class Client final : public Home {
public:
    void serve();

    Reporter& report() override { return report_; }
    Connection connection(std::int64_t& number) override;
    std::int64_t connected_since() override;
    bool may_reopen() override { return wanted_.value("reopen", false); }
    void reopen(std::int64_t number, const std::string& reason) override;

private:
    void line(const std::string& text);
    void carry_out(const std::string& type, const json& request);
    void init(const json& request);
    void connect(const json& request);
    void declare(const json& request);
    void begin(const std::string& type, const json& request);
    void stop(const json& request);
    [[noreturn]] void close(bool asked, std::int64_t id);
    void in_thread(const json& request, std::function<void()> action);
    Connection new_connection(const json& request) const;
    void opened(const Connection& connection);
    void lost(const std::string& reason);
    [[noreturn]] void look();

    Reporter report_;
    std::mutex lock_; // of all below
    std::mutex reopening_;
    json wanted_ = json::object(); // the request that told how to connect
    Connection connection_;
    std::int64_t number_ = 0; // of the connection; 0 = there is none yet
    std::int64_t connected_since_ = -1;
    bool connecting_ = false;
    std::map<std::int64_t, std::shared_ptr<Task>> tasks_;
};

void Client::serve() {
    std::string text;
    while (std::getline(std::cin, text)) {
        if (text.find_first_not_of(" \t\r") != std::string::npos) {
            line(text);
        }
    }
    close(false, 0);
}

void Client::line(const std::string& text) {
    const json request = json::parse(text, nullptr, false);
    if (!request.is_object() || !request.contains("id") || !request["id"].is_number_integer() ||
        !request.contains("type") || !request["type"].is_string()) {
        report_.error(0, false, "invalid_argument: not a request: " + text.substr(0, 200));
        return;
    }
    try {
        carry_out(request["type"], request);
    } catch (const std::exception& error) { // a bad request must not end the program
        report_.reply("failed", request["id"], {{"reason", error.what()}});
    }
}

void Client::carry_out(const std::string& type, const json& request) {
    if (type == "init") {
        init(request);
    } else if (type == "connect") {
        connect(request);
    } else if (type == "declare") {
        declare(request);
    } else if (type == "send" || type == "receive" || type == "drain") {
        begin(type, request);
    } else if (type == "stop") {
        stop(request);
    } else if (type == "close") {
        close(true, request["id"]);
    } else {
        report_.reply("unsupported", request["id"], {{"request", type}, {"reason", "no such request"}});
    }
}

void Client::init(const json& request) {
    if (request.value("protocol", 0) != PROTOCOL) {
        report_.reply("failed", request["id"], {{"reason", "speaks protocol " + std::to_string(PROTOCOL) + " only"}});
        return;
    }
    utsname machine{};
    uname(&machine);
    const json versions{{"qpid::messaging", "unknown"}, // the library does not tell
                        {"c++", std::to_string(__cplusplus)},
                        {"machine", std::string(machine.sysname) + ' ' + machine.release}};
    report_.reply("init_ok", request["id"],
                  {{"client", "cpp-qpid"},
                   {"protocol", PROTOCOL},
                   {"versions", versions},
                   {"capabilities", CAPABILITIES},
                   {"now_ns", now_ns()}});
}

// The library may block for long; other requests must still be answered.
void Client::in_thread(const json& request, std::function<void()> action) {
    const std::int64_t id = request["id"];
    std::thread([this, id, action] {
        try {
            action();
        } catch (const std::exception& error) {
            report_.reply("failed", id, {{"reason", error.what()}});
            return;
        }
        report_.reply("done", id);
    }).detach();
}

void Client::connect(const json& request) {
    const std::string failover = request.value("failover", "addresses");
    if (failover != "addresses") {
        report_.reply("unsupported", request["id"], {{"request", "connect"}, {"reason", "failover " + failover}});
        return;
    }
    const std::lock_guard<std::mutex> guard(lock_);
    if (connecting_) {
        throw std::logic_error("already connected");
    }
    Connection connection = new_connection(request);
    connecting_ = true;
    wanted_ = request;
    in_thread(request, [this, connection]() mutable {
        try {
            connection.open();
        } catch (const std::exception&) {
            const std::lock_guard<std::mutex> failed(lock_);
            connecting_ = false;
            throw;
        }
        opened(connection);
        std::thread([this] { look(); }).detach();
    });
}

// Throws MessagingException for options that the library does not know.
Connection Client::new_connection(const json& request) const {
    Variant::Map options;
    options["protocol"] = "amqp1.0";
    options["tcp_nodelay"] = true;
    options["reconnect"] = request.value("reconnect", true);
    options["reconnect_interval_max"] = "0.5"; // seconds; the library's own is 2
    const int heartbeat_s = request.value("heartbeat_s", 0);
    if (heartbeat_s > 0) {
        options["heartbeat"] = heartbeat_s;
    }
    const json given = request.value("options", json::object());
    for (const auto& [name, value] : given.items()) {
        options[name] = value.get<std::string>();
    }
    const auto addresses = request.at("addresses").get<std::vector<std::string>>();
    Variant::List others;
    for (std::size_t i = 1; i < addresses.size(); i++) {
        others.push_back(Variant(addresses[i]));
    }
    options["reconnect_urls"] = others;
    return Connection(addresses.at(0), options);
}

void Client::opened(const Connection& connection) {
    const std::lock_guard<std::mutex> guard(lock_);
    connection_ = connection;
    number_++;
    connected_since_ = now_ns();
}

Connection Client::connection(std::int64_t& number) {
    const std::lock_guard<std::mutex> guard(lock_);
    number = number_;
    return connection_;
}

std::int64_t Client::connected_since() {
    const std::lock_guard<std::mutex> guard(lock_);
    return connected_since_;
}

void Client::lost(const std::string& reason) {
    {
        const std::lock_guard<std::mutex> guard(lock_);
        if (connected_since_ < 0) {
            return;
        }
        connected_since_ = -1;
    }
    report_.event("disconnected", {{"reason", reason}});
}

// Tells of the connection's ups and downs.
void Client::look() {
    for (;;) {
        std::this_thread::sleep_for(LOOK);
        std::int64_t number = 0;
        const Connection seen = connection(number);
        const std::string url = seen.getUrl();
        if (url.empty()) {
            lost("not connected");
            continue;
        }
        {
            const std::lock_guard<std::mutex> guard(lock_);
            if (connected_since_ >= 0 || number != number_) {
                continue;
            }
            connected_since_ = now_ns();
        }
        report_.event("reconnected", {{"address", url}});
    }
}

void Client::reopen(std::int64_t number, const std::string& reason) {
    const std::lock_guard<std::mutex> one_at_a_time(reopening_);
    std::int64_t present = 0;
    Connection broken = connection(present);
    if (present != number) {
        return;
    }
    lost(reason);
    std::thread([broken]() mutable { // may hang, or throw what is known already
        try {
            broken.close();
        } catch (const std::exception& error) {
            std::cerr << "close: " << error.what() << std::endl;
        }
    }).detach();
    for (int attempt = 1;; attempt++) {
        Connection another = new_connection(wanted_);
        try {
            another.open();
            opened(another);
            report_.event("reconnected", {{"address", another.getUrl()}});
            return;
        } catch (const std::exception& error) {
            std::cerr << "open: " << error.what() << std::endl;
            if (attempt == ATTEMPTS_MAX) {
                throw;
            }
        }
        std::this_thread::sleep_for(RETRY);
    }
}

void Client::declare(const json& request) {
    std::int64_t number = 0;
    Connection present = connection(number);
    if (number == 0) {
        throw std::logic_error("not connected");
    }
    const std::string durable = request.value("durable", false) ? "true" : "false";
    const std::string options = "{create: always, node: {type: queue, durable: " + durable + "}}";
    const std::string where = address(request.at("queue"), options);
    in_thread(request, [present, where]() mutable {
        qpid::messaging::Session session = present.createSession();
        session.createSender(where).close();
        session.close();
    });
}

void Client::begin(const std::string& type, const json& request) {
    std::int64_t number = 0;
    connection(number);
    if (number == 0) {
        throw std::logic_error("not connected");
    }
    std::shared_ptr<Task> task;
    if (type == "send") {
        task = std::make_shared<SendTask>(*this, request);
    } else {
        task = std::make_shared<ReceiveTask>(*this, request);
    }
    {
        const std::lock_guard<std::mutex> guard(lock_);
        tasks_[task->id()] = task;
    }
    report_.reply("done", request["id"]);
    std::thread([task] { task->run(); }).detach();
}

void Client::stop(const json& request) {
    report_.reply("done", request["id"]);
    const std::int64_t wanted = request.value("task", std::int64_t{0});
    const std::lock_guard<std::mutex> guard(lock_);
    for (const auto& [id, task] : tasks_) {
        if (wanted == 0 || wanted == id) {
            task->stop();
        }
    }
}

// Ends the process; `asked` is false when the input has ended.
void Client::close(bool asked, std::int64_t id) {
    std::map<std::int64_t, std::shared_ptr<Task>> tasks;
    {
        const std::lock_guard<std::mutex> guard(lock_);
        tasks = tasks_;
    }
    for (const auto& [number, task] : tasks) {
        task->stop();
    }
    const std::int64_t deadline = now_ns() + TASKS_NS;
    for (const auto& [number, task] : tasks) {
        while (!task->is_over() && now_ns() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        task->leave();
        task->end("stopped");
    }
    std::int64_t number = 0;
    Connection present = connection(number);
    if (number > 0) {
        const auto closed = std::make_shared<std::promise<void>>();
        std::thread([present, closed]() mutable {
            try {
                present.close();
            } catch (const std::exception& error) {
                std::cerr << "close: " << error.what() << std::endl;
            }
            closed->set_value();
        }).detach();
        if (closed->get_future().wait_for(CLOSE) == std::future_status::timeout) {
            std::cerr << "close: the library takes too long" << std::endl;
        }
    }
    if (asked) {
        report_.reply("done", id);
    }
    report_.flush();
    std::_Exit(0); // threads of the library may be blocked for good
}

} // namespace

} // namespace tanist

int main() {
    tanist::Client client;
    client.serve();
}
