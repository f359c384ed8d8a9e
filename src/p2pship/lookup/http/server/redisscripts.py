"""What a Redis server does with slots, as scripts in Lua: each is carried out whole, whatever other front ends do meanwhile.

Every key begins with a namespace, which is the first argument. A slot is a field of the hash ``s:`` + lookup key, named by its
publication key. Its value is, of fixed lengths: sequence, expiry and order of standing as 19 digits each, 1 if it is withdrawn or
0, the owner (16 octets), and the slot as it was printed. The sorted sets are ``l:`` + lookup key (publication keys by order of
standing, without those withdrawn), ``o:`` + owner and ``x`` (both keys by expiry); ``n`` counts orders of standing.
"""

from __future__ import annotations

DIGITS = 19
"Decimal digits of a number, with zeros in front, so that they can be compared as text: Lua's numbers have 53 bits."

_ALIVE = """
local function alive(ns, lk, now)
  local printed, names = {}, {}
  for at = 0, 240, 16 do
    local part = redis.call('ZRANGE', ns .. 'l:' .. lk, at, at + 15)
    if #part == 0 then break end
    for nth, value in ipairs(redis.call('HMGET', ns .. 's:' .. lk, unpack(part))) do
      if value and string.sub(value, 20, 38) > now and #printed < 16 then
        table.insert(printed, string.sub(value, 75))
        names[part[nth]] = true
      end
    end
    if #printed == 16 then break end
  end
  return printed, names
end
"""
"A function that returns the slots that are listed, as they were printed, and a set of their names; those that have just expired are passed over."

PUT = (
    _ALIVE
    + """
local ns, lk, pk, now, sequence, expiry, withdrawn, owner, printed = unpack(ARGV, 1, 9)
local all, each = tonumber(ARGV[10]), tonumber(ARGV[11])
local hash, list, member = ns .. 's:' .. lk, ns .. 'l:' .. lk, lk .. pk
local old = redis.call('HGET', hash, pk)
if old and string.sub(old, 20, 38) <= now then
  redis.call('HDEL', hash, pk)
  redis.call('ZREM', list, pk)
  redis.call('ZREM', ns .. 'x', member)
  redis.call('ZREM', ns .. 'o:' .. string.sub(old, 59, 74), member)
  old = nil
end
local order
if old then
  if string.sub(old, 75) == printed then return {'repeated', 0, string.sub(old, 1, 19)} end
  if sequence <= string.sub(old, 1, 19) then
    return {string.sub(old, 58, 58) == '1' and 'withdrawn' or 'stale', 0, string.sub(old, 1, 19)}
  end
  order, owner = string.sub(old, 39, 57), string.sub(old, 59, 74)
else
  if withdrawn == '1' then return {'absent', 0, '0'} end
  local mine, held = redis.call('ZCOUNT', ns .. 'o:' .. owner, '(' .. now, '+inf'), redis.call('ZCARD', ns .. 'x')
  if held >= all then return {'full', 0, '0'} end
  local share = each >= all and each or math.min(each, 2 * each * (all - held) / all)
  if mine >= share then return {'quota', 0, '0'} end
  order = string.format('%019d', redis.call('INCR', ns .. 'n'))
end
redis.call('HSET', hash, pk, sequence .. expiry .. order .. withdrawn .. owner .. printed)
redis.call('ZADD', ns .. 'x', expiry, member)
redis.call('ZADD', ns .. 'o:' .. owner, expiry, member)
if withdrawn ~= '1' then redis.call('ZADD', list, order, pk) end
local listed = redis.call('ZCOUNT', list, '-inf', '(' .. order) < 16 and 1 or 0
if listed == 0 then
  local _, names = alive(ns, lk, now)
  listed = names[pk] and 1 or 0
end
if withdrawn == '1' then redis.call('ZREM', list, pk) end
redis.call('PUBLISH', ns .. 'c:' .. lk, listed .. pk .. printed)
return {'stored', listed, sequence}
"""
)
"""Arguments: namespace, the keys, now, sequence, expiry, withdrawn, owner, printed, and both quotas. Gives outcome, listed, sequence.

The quota is that of :func:`p2pship.lookup.http.server.places.share`. Where memory is short Redis refuses a script by its first write
alone: for a new slot that is one that takes some."""

LISTED = (
    _ALIVE
    + """
local ns, lk, now = unpack(ARGV)
return (alive(ns, lk, now))
"""
)
"Arguments: namespace, lookup key, now. Gives the listed slots as they were printed."

ONE = """
local ns, lk, pk, now = unpack(ARGV)
local value = redis.call('HGET', ns .. 's:' .. lk, pk)
if value and string.sub(value, 20, 38) > now then return string.sub(value, 75) end
return false
"""
"Arguments: namespace, the keys, now. Gives one slot as it was printed."

SWEEP = """
local ns, now = unpack(ARGV)
local members = redis.call('ZRANGEBYSCORE', ns .. 'x', '-inf', now, 'LIMIT', 0, 500)
for _, member in ipairs(members) do
  local lk, pk = string.sub(member, 1, 32), string.sub(member, 33)
  local value = redis.call('HGET', ns .. 's:' .. lk, pk)
  if value then
    redis.call('HDEL', ns .. 's:' .. lk, pk)
    redis.call('ZREM', ns .. 'l:' .. lk, pk)
    redis.call('ZREM', ns .. 'o:' .. string.sub(value, 59, 74), member)
  end
  redis.call('ZREM', ns .. 'x', member)
end
return #members
"""
"Arguments: namespace, now. Forgets up to 500 slots, which takes some milliseconds, and gives how many."

HELD = "return redis.call('ZCARD', ARGV[1] .. 'x')"
"Argument: namespace. Gives how many slots there are."
