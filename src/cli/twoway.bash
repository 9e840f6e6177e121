# SPDX-License-Identifier: Apache-2.0
# bash completion for twoway(1)

# File names are readline's own to complete, which knows those with spaces and newlines in them.
_twoway_files()
{
    compopt -o default 2>/dev/null || true
}

_twoway()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} sign=
    local verbs='keygen config tokens inspect request accept respond receive'
    local every='--force --quiet --help'
    local format='--chunked --max-chunk --label --max-size --jobs'
    local token='--module --pin-source --never-export-dh'
    local pairs words kdf aead files

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "$verbs --help --version" -- "$cur")
        return
    fi

    # "--kem=p256" and "env:PIN" come in three words each.
    if [[ $cur == [=:] ]]; then
        sign=$cur cur=
    elif [[ $prev == [=:] ]]; then
        sign=$prev prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev$sign in
    env:)
        mapfile -t COMPREPLY < <(compgen -e -- "$cur")
        return
        ;;
    pkcs11:) return ;;
    esac

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
        mapfile -t COMPREPLY < <(compgen -W 'ask env:' -- "$cur")
        mapfile -t files < <(compgen -f -- "$cur")
        if [[ -z $cur ]]; then
            COMPREPLY+=("${files[@]}") # a list to look at
        elif ((${#files[@]} > 0)); then
            COMPREPLY=()
            _twoway_files
        elif [[ ${COMPREPLY[*]} == env: ]]; then
            compopt -o nospace
        fi
        return
        ;;
    --key | --public | --certificate | --show | --config | --to | --encap | --exchange | \
        --module | -o | --output)
        _twoway_files
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
    *) [[ ${COMP_WORDS[1]} == @(keygen|config|tokens) ]] || _twoway_files ;;
    esac
} && complete -F _twoway twoway
