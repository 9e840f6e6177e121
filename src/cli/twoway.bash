# SPDX-License-Identifier: Apache-2.0
# bash completion for twoway(1)

_twoway()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local verbs='keygen config tokens inspect request accept respond receive'
    local every='--force --quiet --help'
    local format='--chunked --max-chunk --label --max-size --jobs'
    local token='--module --pin-source --never-export-dh'
    local pairs words kdf aead

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$verbs --help --version" -- "$cur")
        return
    fi

    # After an option that takes one: its values, or a file name, or nothing to offer.
    case $prev in
    --kem)
        mapfile -t COMPREPLY < <(compgen -W 'p256 p384 p521 x25519 x448' -- "$cur")
        return
        ;;
    --suite)
        for kdf in hkdf-sha256 hkdf-sha384 hkdf-sha512; do
            for aead in aes-128-gcm aes-256-gcm chacha20-poly1305; do
                pairs+="$kdf,$aead "
            done
        done
        mapfile -t COMPREPLY < <(compgen -W "$pairs" -- "$cur")
        return
        ;;
    --pin-source)
        mapfile -t COMPREPLY < <(compgen -W 'ask env:' -- "$cur"; compgen -f -- "$cur")
        return
        ;;
    --key | --public | --certificate | --show | --config | --to | --encap | --exchange | \
        --module | -o | --output)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --token | --check | --object | --id | --key-id | --label | --max-chunk | --max-size | --jobs)
        return
        ;;
    esac

    case ${COMP_WORDS[1]} in
    keygen) words="--kem --token --object --id --output $token" ;;
    config) words="--key --public --certificate --show --key-id --suite --bare --output $token" ;;
    tokens) words="--token --check --public --certificate --no-scratch $token" ;;
    inspect) words= ;;
    request) words="--to --encap --exchange --output $format" ;;
    accept)
        words="--key --public --certificate --key-id --config --encap --exchange --output"
        words+=" $format $token"
        ;;
    respond | receive) words="--exchange --output $format" ;;
    *) return ;;
    esac
    case $cur in
    -*) mapfile -t COMPREPLY < <(compgen -W "$words $every" -- "$cur") ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    esac
} && complete -o filenames -F _twoway twoway
