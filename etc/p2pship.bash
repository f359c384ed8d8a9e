# Completion of p2pship for bash: source this file, or copy it to /usr/share/bash-completion/completions/p2pship.

_p2pship() {
    local words
    case "${COMP_WORDS[*]:1:3} " in
        "status "*) words="--help --state --config --json" ;;
        "doctor "*) words="--help --state --config --json" ;;
        "find "*) words="--help --state --config --json --trace" ;;
        "calls "*) words="--help --state --config --json --why --recent" ;;
        "identity create "*) words="--help --state --config --json --separate-device --unlock-fd" ;;
        "identity request "*) words="--help --state --config --json --qr --out --force --unlock-fd" ;;
        "identity list "*) words="--help --state --config --json --unlock-fd" ;;
        "identity show "*) words="--help --state --config --json --unlock-fd" ;;
        "identity export "*) words="--help --state --config --json --encrypt --passphrase-fd --out --force --unlock-fd" ;;
        "identity import "*) words="--help --state --config --json --unlock-fd" ;;
        "identity restore "*) words="--help --state --config --json --passphrase-fd --replace --separate-device --unlock-fd" ;;
        "identity rotate "*) words="--help --state --config --json --yes --unlock-fd" ;;
        "identity remove "*) words="--help --state --config --json --yes --unlock-fd" ;;
        "identity default "*) words="--help --state --config --json --unlock-fd" ;;
        "identity status "*) words="--help --state --config --json --say --unlock-fd" ;;
        "identity privacy "*) words="--help --state --config --json --unlock-fd" ;;
        "identity separate "*) words="--help --state --config --json --yes --unlock-fd" ;;
        "identity "*) words="create request list show export import restore rotate remove default status privacy separate" ;;
        "passphrase status "*) words="--help --state --config --json --unlock-fd" ;;
        "passphrase set "*) words="--help --state --config --json --passphrase-fd --unlock-fd" ;;
        "passphrase change "*) words="--help --state --config --json --current-fd --passphrase-fd --unlock-fd" ;;
        "passphrase remove "*) words="--help --state --config --json --current-fd --unlock-fd" ;;
        "passphrase "*) words="status set change remove" ;;
        "ca create "*) words="--help --state --config --json --name --operator --unlock-fd" ;;
        "ca issue "*) words="--help --state --config --json --days --ca --replace --uri --qr --out --force --unlock-fd" ;;
        "ca revoke "*) words="--help --state --config --json --ca --yes --unlock-fd" ;;
        "ca crl "*) words="--help --state --config --json --out --force --unlock-fd" ;;
        "ca publish "*) words="--help --state --config --json --dns --out --force --unlock-fd" ;;
        "ca trust "*) words="--help --state --config --json --domain --unlock-fd" ;;
        "ca list "*) words="--help --state --config --json --unlock-fd" ;;
        "ca remove "*) words="--help --state --config --json --domain --key --yes --unlock-fd" ;;
        "ca "*) words="create issue revoke crl publish trust list remove" ;;
        "contact add "*) words="--help --state --config --json --name --note --own --unlock-fd" ;;
        "contact list "*) words="--help --state --config --json --own --unlock-fd" ;;
        "contact show "*) words="--help --state --config --json --qr --own --unlock-fd" ;;
        "contact pin "*) words="--help --state --config --json --fingerprint --safety --confirmed --yes --own --unlock-fd" ;;
        "contact forget "*) words="--help --state --config --json --own --yes --unlock-fd" ;;
        "contact pair "*) words="--help --state --config --json --code --own" ;;
        "contact block "*) words="--help --state --config --json --note --own --unlock-fd" ;;
        "contact allow "*) words="--help --state --config --json --note --own --unlock-fd" ;;
        "contact unblock "*) words="--help --state --config --json --own --unlock-fd" ;;
        "contact "*) words="add list show pin forget pair block allow unblock" ;;
        "vouch ask "*) words="--help --state --config --json --of --own" ;;
        "vouch list "*) words="--help --state --config --json --own" ;;
        "vouch give "*) words="--help --state --config --json --to --days --own" ;;
        "vouch refuse "*) words="--help --state --config --json --to --own" ;;
        "vouch revoke "*) words="--help --state --config --json --to --own" ;;
        "vouch "*) words="ask list give refuse revoke" ;;
        "device key list "*) words="--help --state --config --json --unlock-fd" ;;
        "device key create "*) words="--help --state --config --json --algorithm --unlock-fd" ;;
        "device key remove "*) words="--help --state --config --json --yes --unlock-fd" ;;
        "device key "*) words="list create remove --help --state --config --json --own --unlock-fd" ;;
        "device list "*) words="--help --state --config --json --name --unlock-fd" ;;
        "device link "*) words="--help --state --config --json --code --owner --name --separate-device" ;;
        "device revoke "*) words="--help --state --config --json --own --yes --unlock-fd" ;;
        "device "*) words="key list link revoke" ;;
        "hip show "*) words="--help --state --config --json" ;;
        "hip associations "*) words="--help --state --config --json" ;;
        "hip close "*) words="--help --state --config --json --as" ;;
        "hip ping "*) words="--help --state --config --json --as --raw --number" ;;
        "hip record "*) words="--help --state --config --json --own" ;;
        "hip "*) words="show associations close ping record" ;;
        "phone password "*) words="--help --state --config --json --username --generate --password-fd --unlock-fd" ;;
        "phone list "*) words="--help --state --config --json --unlock-fd" ;;
        "phone remove "*) words="--help --state --config --json --username --unlock-fd" ;;
        "phone "*) words="password list remove" ;;
        "config "*) words="--help --state --config --json" ;;
        *) words="status doctor find calls identity passphrase ca contact vouch device hip phone config" ;;
    esac
    case "${COMP_WORDS[COMP_CWORD-1]}" in
        --algorithm) COMPREPLY=($(compgen -W "p256 p384 rsa-2048" -- "${COMP_WORDS[COMP_CWORD]}")); return ;;
    esac
    if [[ $COMP_CWORD -eq 1 || "${COMP_WORDS[COMP_CWORD]}" == -* || -n $words && $COMP_CWORD -eq 2 ||
        $COMP_CWORD -eq 3 && $words == [a-z]* ]]; then
        COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
    fi
}
complete -o default -F _p2pship p2pship
