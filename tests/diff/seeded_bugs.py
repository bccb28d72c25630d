#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Seeded bugs: each a one-line change of the shared code, applied to a copy from which the
native side of weir-diff is rebuilt; the XDP program stays as it is. Every one must be
caught: one that survives says that the frames are too weak.

usage: seeded_bugs.py WEIR_DIFF SOURCE_ROOT [COUNT]
"""
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys
import tempfile

# file in include/weir/fwd/, what stands there (once), what is put in its place
BUGS = [
    ("parse.h", "if (l3->header_len < FWD_IP4_LEN || l3->len < l3->header_len)",
     "if (l3->header_len < FWD_IP4_LEN || l3->len <= l3->header_len)"),
    ("parse.h", "(ip->version_ihl & 0xfu) * 4", "(ip->version_ihl & 0x7u) * 4"),
    ("parse.h", "if (ip->version_ihl >> 4 != 4)", "if (ip->version_ihl >> 6 != 1)"),
    ("parse.h", "(uint16_t)(fragment << 3 | (fragment >> 13 & FWD_FRAGMENT_MORE))",
     "(uint16_t)(fragment << 3)"),
    ("parse.h", "(uint16_t)(fragment << 3 | ", "(uint16_t)(fragment << 4 | "),
    ("parse.h", "#define FWD_EXTENSIONS_MAX 6u", "#define FWD_EXTENSIONS_MAX 5u"),
    ("parse.h", "l3->header_len += x->len8 * 8u;", "l3->header_len += x->len8 * 4u;"),
    ("parse.h", "protocol == FWD_PROTO_ROUTING && x->segments_left", "protocol == FWD_PROTO_ROUTING && x->routing_type"),
    ("parse.h", "if (l3->header_len > l3->len)", "if (l3->header_len >= l3->len)"),
    ("decide.h", "if (flags & FWD_TCP_RST)", "if (flags & FWD_TCP_RST && !(flags & FWD_TCP_FIN))"),
    ("decide.h", "(flags & (FWD_TCP_SYN | FWD_TCP_ACK)) == FWD_TCP_SYN", "(flags & FWD_TCP_SYN)"),
    ("parse.h", "if (header_len < FWD_TCP_LEN || header_len > room)", "if (header_len < FWD_TCP_LEN)"),
    ("parse.h", "if (len < FWD_UDP_LEN || (len", "if (len <= FWD_UDP_LEN || (len"),
    ("parse.h", "if (!ports || (uint64_t)(c->at - quote) > room)", "if (!ports)"),
    ("parse.h", "if (!fwd_addr_equal(&l3.src, &p->flow.dst))", "if (0)"),
    ("parse.h", "p->flow.sport_be = ports->dport_be;", "p->flow.sport_be = ports->sport_be;"),
    ("parse.h", "return type == 3 || type == 4 || type == 11 || type == 12;",
     "return type == 3 || type == 11 || type == 12;"),
    ("parse.h", "return type >= 1 && type <= 4;", "return type >= 1 && type < 4;"),
    ("parse.h", "icmp->type <= 137 && p->ttl == 255", "icmp->type <= 137"),
    ("parse.h", "if (l3.len > room_in_frame", "if (l3.len > room_in_frame + 1"),
    ("parse.h", "if (FWD_UNLIKELY(l3.fragment))", "if (l3.fragment & FWD_FRAGMENT_LATER)"),
    ("parse.h", "(len > room && !p->fragment)", "len > room"),
    ("parse.h", "p->fragment_id = l3->fragment_id;", "p->fragment_id = (uint16_t)l3->fragment_id;"),
    ("fragments.h", "#define FWD_FRAGMENT_LIFE_S 5u", "#define FWD_FRAGMENT_LIFE_S 6u"),
    ("fragments.h", "p->is4 ? p->flow.protocol : FWD_PROTO_FRAGMENT", "FWD_PROTO_FRAGMENT"),
    ("fragments.h", "if (a > age)", "if (a >= age)"),
    ("fragments.h", "<= FWD_FRAGMENT_LIFE_S && !fwd_fragment_is(e, hash)", "<= FWD_FRAGMENT_LIFE_S"),
    ("decide.h", "where = fwd_fragment_where(v->backend_index, v->service->count);", "where = fwd_fragment_where(v->backend_index, 0);"),
    ("forward.h", "fwd_count_forwarded(t, root, v, v->count,", "fwd_count_forwarded(t, root, v, 0,"),
    ("parse.h", "#define FWD_PLAIN_MASK 0xff3f0000000000ffu", "#define FWD_PLAIN_MASK 0xff1f0000000000ffu"),
    ("parse.h", "#define FWD_PLAIN_MASK 0xff3f0000000000ffu", "#define FWD_PLAIN_MASK 0x003f0000000000ffu"),
    ("parse.h", "(words->first & FWD_PLAIN_MASK) != 0x45", "(words->first & FWD_PLAIN_MASK & 0xfffffffffffffff0u) != 0x40"),
    ("parse.h", "p->frame_len - FWD_ETH_LEN - FWD_IP4_LEN ||", "p->frame_len - FWD_ETH_LEN ||"),
    ("parse.h", "|| ip->ttl <= 1)", "|| ip->ttl < 1)"),
    ("easy.h", "if (!f->service || fwd_is_loop(t, root, p))", "if (!f->service)"),
    ("easy.h", "if (!hot || hot & FWD_SLOT_LOOK_FURTHER)", "hot &= FWD_SLOT_BACKEND;\n\tif (!hot)"),
    ("easy.h", "((uint64_t)b->inner_mtu - len)", "((uint64_t)b->inner_mtu + 1 - len)"),
    ("easy.h", "(b->flags ^ FWD_BACKEND_USED)", "(b->flags & FWD_BACKEND_DEAD)"),
    ("easy.h", "| (b->encap & FWD_ENCAP_L2) |", "|"),
    ("easy.h", "(b->encap & FWD_ENCAP_L2) | b->vlan", "(b->encap & FWD_ENCAP_L2)"),
    ("easy.h", "return !(not_ipv4 | too_long | other_way)", "return !(too_long | other_way)"),
    ("parse.h", "return p->flow.protocol == FWD_PROTO_UDP &&", "return"),
    ("hash.h", "s->v3 = fwd_rotl64(s->v3, 21) ^ s->v0;", "s->v3 = fwd_rotl64(s->v3, 22) ^ s->v0;"),
    ("hash.h", "return fwd_sip_end(&s, fwd_hash_last(f, FWD_HASH_LEN6));", "return fwd_sip_end(&s, fwd_hash_last(f, 36));"),
    ("hash.h", "return fwd_sip_end(&s, f->src.words_be[3] | 4ull << 56);",
     "return fwd_sip_end(&s, f->dst.words_be[3] | 4ull << 56);"),
    ("packet.h", "+ (uint16_t)~before + after", "+ (uint16_t)~after + before"),
    ("encap.h", "ttl_protocol + src_be +", "ttl_protocol +"),
    ("services.h", "((at + probe) & mask)", "(at & mask)"),
    ("services.h", "return fwd_addr_equal(&e->vip, vip) && e->port_be == port_be && e->protocol == protocol;",
     "return fwd_addr_equal(&e->vip, vip) && e->port_be == port_be;"),
    ("decide.h", "if (FWD_UNLIKELY(p->ttl <= 1))", "if (FWD_UNLIKELY(p->ttl <= 2))"),
    ("decide.h", "if (FWD_UNLIKELY(fwd_is_loop(t, root, p)))", "if (fwd_is_vip(t, root, &p->flow.src))"),
    ("decide.h", "return b->flags & FWD_BACKEND_DEAD ?", "return !(b->flags & FWD_BACKEND_NO_NEXT_HOP) ?"),
    ("decide.h", "p->l3_len > v->backend->inner_mtu", "p->l3_len >= v->backend->inner_mtu"),
    ("too_big.h", "if (cpu->answers_s != now_s)", "if (cpu->answers_s > now_s)"),
    ("too_big.h", "if (p->ask == FWD_ASK_ERROR ||", "if ("),
    ("too_big.h", "inner_mtu < (p->is4 ?", "inner_mtu < (!p->is4 ?"),
    ("too_big.h", "(l3_len < most ? l3_len : most) & ~3u", "(l3_len < most ? l3_len : most) & ~1u"),
    ("too_big.h", "tags_to[0] = tags_from[0];", ";"),
    ("too_big.h", "tags_to[1] = tags_from[1];", ";"),
    ("too_big.h", "fwd_be32(FWD_ICMP_LEN + quoted_len)", "fwd_be32(quoted_len)"),
    ("too_big.h", "ip->fragment_be = fwd_be16(0x4000);", "ip->fragment_be = quoted->fragment_be;"),
    ("decide.h", "tcp ? pool->idle_s : v->service->udp_idle_s", "pool->idle_s"),
    ("decide.h", "if (p->ask == FWD_ASK_NEIGHBOUR)", "if (0)"),
    ("encap.h", "0x45 | (uint32_t)o->tos << 8", "0x45 | (uint32_t)(o->tos & 0xfc) << 8"),
    ("encap.h", "(uint32_t)o->tos << 20", "(uint32_t)o->tos << 18"),
    ("encap.h", "uint64_t fragment = fwd_be16(0x4000);", "uint64_t fragment = 0;"),
    ("encap.h", "(uint16_t)(len - FWD_IP6_LEN)", "(uint16_t)len"),
    ("encap.h", "FWD_UDP_LEN + FWD_GUE_LEN + o->inner_len", "FWD_UDP_LEN + o->inner_len"),
    ("encap.h", "o->inner_is4 ? FWD_PROTO_IP4 : FWD_PROTO_IP6", "FWD_PROTO_IP4"),
    ("encap.h", "host & ~prefix->mask.longs_be[1]", "host"),
    ("encap.h", "0xc000u | (spread & 0x3fffu)", "0xc000u | (spread & 0x1fffu)"),
    ("rewrite.h", "((sum + 2) >> 16)", "((sum + 1) >> 16)"),
    ("rewrite.h", "ip6->hop_limit--;", ";"),
    ("rewrite.h", "eth->type_be = b->outer_type_be;", "eth->type_be = fwd_be16(FWD_ETHERTYPE_VLAN);"),
    ("parse.h", "if (!vlan || !fwd_is_tag(vlan->type_be))", "if (1)"),
    ("rewrite.h", "fwd_rewrite_eth(eth, v->backend, p->is4);", "fwd_rewrite_eth(eth, v->backend, true);"),
    ("rewrite.h", "if (longer && !fwd_port_grow(packet, longer))", "if (longer > 0 && !fwd_port_grow(packet, longer))"),
    ("decide.h", "return b->encap == FWD_ENCAP_L2 ? FWD_REASON_FORWARDED : FWD_REASON_NO_SOURCE;", "return FWD_REASON_NO_SOURCE;"),
    ("rewrite.h", "vlan[0].tag_be = fwd_be16(b->vlan);", "vlan[0].tag_be = b->vlan;"),
    ("rewrite.h", "uint32_t spread = (uint32_t)(v->hash >> 32);", "uint32_t spread = (uint32_t)v->hash;"),
    ("rewrite.h", "icmp->type = is4 ? 0 : 129;", "icmp->type = is4 ? 0 : 128;"),
    ("rewrite.h", "ip->hop_limit = FWD_OUTER_TTL;\n}", ";\n}"),
    ("rewrite.h", "macs->second = from->second;", "macs->second = 0;"),
    ("forward.h", "cpu->received_bytes += (uint64_t)(packet->end - packet->data);", "cpu->received_bytes++;"),
    ("forward.h", "c->bytes += bytes;", "c->bytes = bytes;"),
    ("burst.h", "cpu->received += b->n;", "cpu->received = b->n;"),
    ("burst.h", "cpu->received_bytes += bytes;", ";"),
    ("burst.h", "if (FWD_LIKELY(p->addressed))", "if (1)"),
    ("burst.h", "!p->fragment && p->ttl > 1 &&", "!p->fragment &&"),
    ("burst.h", "!p->fragment && p->ttl > 1 &&", "p->ttl > 1 &&"),
    ("burst.h", "p->ttl > 1 && !fwd_is_loop(t, root, p)", "p->ttl > 1"),
    ("burst.h", "!(hot & FWD_SLOT_LOOK_FURTHER) && hot && v->backend", "hot && v->backend"),
    ("burst.h", "FWD_HASH_LEN4 << 56;", "FWD_HASH_LEN6 << 56;"),
    ("burst_hash.h", "FWD_LANES_ROTL(v3, 21)", "FWD_LANES_ROTL(v3, 20)"),
    ("burst.h", "cpu->reason[v->reason]++;", "cpu->reason[0]++;"),
    ("owner_word.h", "(f->segment == FWD_SEGMENT_SYN ? ahead == 0 : ahead <= 2)",
     "(f->segment == FWD_SEGMENT_SYN ? ahead == 0 : ahead <= 1)"),
    ("decide.h", "earlier == current || n == SECOND_OWNERS_MAX", "n == SECOND_OWNERS_MAX"),
    ("decide.h", "n == SECOND_OWNERS_MAX ||", "n == OWNER_LIST_MAX ||"),
    ("decide.h", "fwd_addr_is4(&b->address) == outer4", "1"),
    ("decide.h", "(b->flags & (FWD_BACKEND_USED | FWD_BACKEND_DEAD)) == FWD_BACKEND_USED", "b->flags & FWD_BACKEND_USED"),
    ("decide.h", "pool->flags & FWD_POOL_AGENTS && p->flow", "p->flow"),
    ("rewrite.h", "o.inner_len = (uint16_t)(o.inner_len + list_len);", ";"),
    ("decide.h", "(is_syn && owner_list_is_guest(word, i)) ||", ""),
    ("encap.h", "(uint8_t)(second_len(o->n, is4) / 4)", "(uint8_t)second_len(o->n, is4)"),
    ("encap.h", "to->w[0] = o->address[i]->words_be[3];", "to->w[0] = o->address[0]->words_be[3];"),
    ("encap.h", "for (uint32_t k = 0; k < 4; k++)", "for (uint32_t k = 1; k < 4; k++)"),
    ("decide.h", "if (FWD_LIKELY(p->ask != FWD_ASK_ERROR && ", "if (FWD_LIKELY("),
    ("decide.h", "p->ask != FWD_ASK_ERROR && p->fault != FWD_REASON_ICMP_UNRELATED", "p->ask != FWD_ASK_ERROR"),
    ("decide.h", "return fwd_prefix_has(source, &p->flow.dst) ? FWD_REASON_TUNNEL_ERROR : FWD_REASON_NOT_OURS;", "return FWD_REASON_TUNNEL_ERROR;"),
    ("destinations.h", "b->flags & FWD_BACKEND_USED && b->encap", "b->encap"),
    ("destinations.h", "i < FWD_DESTINATION_WAYS; i++) {\n\t\tuint32_t index", "i < 1; i++) {\n\t\tuint32_t index"),
    ("tunnel_error.h", "ip->version_ihl == 0x45 &&", ""),
    ("tunnel_error.h", "ip->fragment_be == fwd_be16(0x4000) &&", ""),
    ("tunnel_error.h", "ip->src_be == ((const struct fwd_ip4 *)(const void *)error)->dst_be", "1"),
    ("tunnel_error.h", "ip->src_be[0] == to->dst_be[0] &&", ""),
    ("tunnel_error.h", "FWD_IP6_LEN + fwd_be16(ip->len_be)", "fwd_be16(ip->len_be)"),
    ("tunnel_error.h", "q->protocol == FWD_PROTO_IP4 || q->protocol == FWD_PROTO_IP6", "q->protocol == FWD_PROTO_IP4"),
    ("tunnel_error.h", "fwd_be16(udp->sport_be) < FWD_SPORT_MIN", "fwd_be16(udp->sport_be) <= FWD_SPORT_MIN"),
    ("tunnel_error.h", "b && udp->dport_be == b->gue_port_be", "b"),
    ("tunnel_error.h", "#define FWD_QUOTED_LEN 8u", "#define FWD_QUOTED_LEN 7u"),
    ("tunnel_error.h", "|| l3_off + l3_len < l4_off + len", ""),
    ("tunnel_error.h", "#define FWD_TOLD4_MIN 576u", "#define FWD_TOLD4_MIN 577u"),
    ("tunnel_error.h", "(is4 ? FWD_TOLD4_MIN : FWD_MTU6_MIN)", "FWD_TOLD4_MIN"),
    ("tunnel_error.h", "|| mtu >= quoted_len", "|| mtu > quoted_len"),
    ("tunnel_error.h", "if (!before || mtu < before)", "if (!before)"),
    ("tunnel_error.h", "if (!before || mtu < before)", "if (1)"),
    ("tunnel_error.h", "is4 && icmp->type == 3 && icmp->code == 4", "is4 && icmp->type == 3"),
    ("tunnel_error.h", "rest & 0xffff, quoted_len, true", "rest, quoted_len, true"),
    ("tunnel_error.h", "icmp->type == (is4 ? 3 : 1)", "icmp->type == (is4 ? 3 : 2)"),
    ("tunnel_error.h", "icmp->type == (is4 ? 11 : 3)", "icmp->type == (is4 ? 12 : 3)"),
    ("owner_word.h", "return (uint32_t)(hash >> 20) & (n_sets - 1);", "return (uint32_t)(hash >> 21) & (n_sets - 1);"),
]


def build(bug, source, work):
    """Apply one bug to a copy and compile the native side from it."""
    name, old, new = bug
    shutil.copytree(source / "include", work / "include")
    path = work / "include/weir/fwd" / name
    text = path.read_text()
    if text.count(old) != 1:
        raise SystemExit(f"{name}: found {text.count(old)} times, not once: {old}")
    path.write_text(text.replace(old, new))
    so = work / "native.so"
    subprocess.run(["cc", "-std=gnu11", "-O1", "-fno-strict-aliasing", "-w", "-shared", "-fPIC", "-I", work / "include",
                    "-I", source, "-I", source / "tests", source / "tests/fwd/native.c", "-o", so], check=True)
    return so


def survives(bug, weir_diff, source, count):
    """Whether weir-diff sees no difference; a crash of it is no catch."""
    with tempfile.TemporaryDirectory(prefix="weir-bug-") as directory:
        so = build(bug, source, pathlib.Path(directory))
        done = subprocess.run([weir_diff, "--native", so, count, "1"], stdout=subprocess.DEVNULL)
    if done.returncode not in (0, 1):
        raise SystemExit(f"weir-diff ended with {done.returncode} for {bug}")
    return done.returncode == 0


def main():
    weir_diff, source = sys.argv[1], pathlib.Path(sys.argv[2])
    count = sys.argv[3] if len(sys.argv) > 3 else "200000"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda bug: survives(bug, weir_diff, source, count), BUGS))
    for bug, survived in zip(BUGS, results):
        if survived:
            print(f"survived: {bug[0]}: {bug[1]} -> {bug[2]}")
    print(f"{results.count(False)} passed, {results.count(True)} failed")
    return 1 if any(results) else 0


if __name__ == "__main__":
    sys.exit(main())
