// SPDX-License-Identifier: Apache-2.0
// A request and its answer in C++17: every object is freed by its owner, in the right order.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <twoway/hpke.h>
#include <twoway/ohttp.h>
#include <twoway/pkcs11.h>
#include <twoway/twoway.h>

namespace
{

using Bytes = std::vector<std::uint8_t>;

template <auto Free> struct Deleter {
    template <typename T> void operator()(T *object) const
    {
        Free(object);
    }
};
template <typename T, auto Free> using Owned = std::unique_ptr<T, Deleter<Free>>;

using Suite = Owned<tw_suite, tw_suite_free>;
using Key = Owned<tw_key, tw_key_free>;
using Sender = Owned<tw_sender, tw_sender_free>;
using Receiver = Owned<tw_receiver, tw_receiver_free>;
using Exchange = Owned<tw_exchange, tw_exchange_free>;
using Sealer = Owned<tw_sealer, tw_sealer_free>;
using Opener = Owned<tw_opener, tw_opener_free>;

void check(tw_err err)
{
    if (err != TW_OK) {
        throw std::runtime_error(tw_strerror(err));
    }
}

// A function's last argument, made and owned.
template <typename Object, typename Function, typename... Arguments>
Object make(Function function, Arguments... arguments)
{
    typename Object::pointer made = nullptr;

    check(function(arguments..., &made));
    return Object(made);
}

Bytes seal(tw_sealer *sealer, const std::string &text)
{
    const auto *in = reinterpret_cast<const std::uint8_t *>(text.data());
    Bytes body(tw_sealer_bound(sealer, text.size()));
    std::size_t len = 0;

    check(tw_sealer_final(sealer, in, text.size(), body.data(), body.size(), &len));
    body.resize(len);
    return body;
}

std::string open(tw_opener *opener, const Bytes &body)
{
    Bytes text(tw_opener_bound(opener, body.size()));
    std::size_t len = 0;

    check(tw_opener_final(opener, body.data(), body.size(), text.data(), text.size(), &len));
    return std::string(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(len));
}

struct Format : tw_format {
    Format() : tw_format{}
    {
        size = sizeof(tw_format);
        chunked = true;
    }
};

void run()
{
    const Format format;
    auto suite = make<Suite>(tw_suite_new, TW_KEM_X25519_HKDF_SHA256, TW_KDF_HKDF_SHA256,
                             TW_AEAD_CHACHA20_POLY1305, nullptr);
    auto key = make<Key>(tw_key_generate, suite->kem_id, nullptr, nullptr);
    auto receiver =
        make<Receiver>(tw_receiver_new, suite.get(), std::uint8_t{1}, key.get(), nullptr);
    auto sender = make<Sender>(tw_sender_new, suite.get(), std::uint8_t{1}, key->public_key,
                               suite->public_len, nullptr);

    Bytes head(tw_sender_head_len(sender.get()));
    tw_sealer *sealer = nullptr;
    tw_opener *opener = nullptr;
    tw_exchange *exchange = nullptr;
    check(tw_sender_request(sender.get(), &format, head.data(), head.size(), &sealer, &exchange));
    const Sealer request(sealer);
    const Exchange asked(exchange);
    const Bytes question = seal(request.get(), "Who goes there?");

    check(
        tw_receiver_accept(receiver.get(), &format, head.data(), head.size(), &opener, &exchange));
    const Opener request_in(opener);
    const Exchange answered(exchange);
    std::printf("asked: %s\n", open(request_in.get(), question).c_str());

    head.resize(tw_exchange_response_head_len(answered.get()));
    auto response =
        make<Sealer>(tw_exchange_respond, answered.get(), &format, head.data(), head.size());
    const Bytes answer = seal(response.get(), "A friend.");
    auto response_in =
        make<Opener>(tw_exchange_receive, asked.get(), &format, head.data(), head.size());
    std::printf("answered: %s\n", open(response_in.get(), answer).c_str());
}

} // namespace

int main()
{
    try {
        run();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
