// A consumer that handles each message once, though it may arrive twice: Qpid Proton, C++.
//
//     dedup HOST:PORT[,HOST:PORT...] QUEUE LEDGER IDLE_SECONDS
//
// See README.md for why it is made so. c++ -std=c++17 dedup.cpp -lqpid-proton-cpp

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/delivery.hpp>
#include <proton/duration.hpp>
#include <proton/message.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver_options.hpp>
#include <proton/reconnect_options.hpp>
#include <proton/work_queue.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr int CREDIT = 20;
using Clock = std::chrono::steady_clock;

// What was handled: a line per message, on disk before the message is acknowledged.
class Ledger {
  public:
    explicit Ledger(const std::string& path) {
        std::ifstream before(path, std::ios::binary);
        const std::string text((std::istreambuf_iterator<char>(before)), {});
        const auto end = text.rfind('\n');
        const std::string whole = end == std::string::npos ? "" : text.substr(0, end + 1);
        std::istringstream lines(whole);
        for (std::string line; std::getline(lines, line);) {
            seen_.insert(line);
        }
        file_ = ::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
        // We died while writing what is cut off here: it was not handled.
        if (file_ < 0 || ::ftruncate(file_, static_cast<off_t>(whole.size())) != 0) {
            throw std::runtime_error("cannot open " + path);
        }
    }

    // Do what is to be done with a message, unless that was done before.
    bool handle(const std::string& producer, std::int64_t sn) {
        const std::string line = producer + " " + std::to_string(sn);
        if (seen_.count(line) > 0) {
            return false;
        }
        const std::string octets = line + "\n";  // the work; yours goes here, in the same transaction
        const auto written = ::write(file_, octets.data(), octets.size());
        if (written != static_cast<ssize_t>(octets.size()) || ::fsync(file_) != 0) {
            throw std::runtime_error("cannot write to the ledger");
        }
        seen_.insert(line);
        return true;
    }

  private:
    std::set<std::string> seen_;
    int file_ = -1;
};

// Receives, handles, and only then accepts.
class Consumer : public proton::messaging_handler {
  public:
    Consumer(std::vector<std::string> urls, std::string queue, Ledger& ledger, double idle_s)
        : urls_(std::move(urls)), queue_(std::move(queue)), ledger_(ledger), idle_s_(idle_s) {}

    void on_container_start(proton::container& container) override {
        proton::reconnect_options retry;
        retry.delay(proton::duration(100)).max_delay(proton::duration(500));
        proton::connection_options options;
        options.idle_timeout(proton::duration(2000)).reconnect(retry);
        options.failover_urls({urls_.begin() + 1, urls_.end()});
        container.connect(urls_.front(), options);
        look(container);
    }

    void on_connection_open(proton::connection& connection) override {
        if (!connection.reconnected()) {
            connection.open_receiver(
                queue_, proton::receiver_options().auto_accept(false).credit_window(CREDIT));
        }
    }

    void on_transport_error(proton::transport&) override {}  // it tries the next address

    void on_message(proton::delivery& delivery, proton::message& message) override {
        last_ = Clock::now();
        const auto producer = proton::get<std::string>(message.properties().get("producer"));
        const auto sn = proton::coerce<std::int64_t>(message.properties().get("sn"));
        ++(ledger_.handle(producer, sn) ? handled_ : duplicates_);
        delivery.accept();
    }

  private:
    void look(proton::container& container) {
        if (std::chrono::duration<double>(Clock::now() - last_).count() > idle_s_) {
            std::cout << "handled " << handled_ << ", duplicates " << duplicates_ << std::endl;
            std::_Exit(0);
        }
        container.schedule(proton::duration(100), [this, &container] { look(container); });
    }

    std::vector<std::string> urls_;
    std::string queue_;
    Ledger& ledger_;
    double idle_s_;
    Clock::time_point last_ = Clock::now();
    int handled_ = 0;
    int duplicates_ = 0;
};

}  // namespace

int main(int count, char** words) {
    if (count != 5) {
        std::cerr << "dedup HOST:PORT[,HOST:PORT...] QUEUE LEDGER IDLE_SECONDS\n";
        return 64;
    }
    std::vector<std::string> urls;
    std::istringstream addresses(words[1]);
    for (std::string address; std::getline(addresses, address, ',');) {
        urls.push_back("amqp://" + address);
    }
    Ledger ledger(words[3]);
    Consumer consumer(urls, words[2], ledger, std::stod(words[4]));
    proton::container(consumer).run();
    return 0;
}
