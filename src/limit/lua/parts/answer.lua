local figures = { now }
for i = 1, count do
  figures[3 * i - 1], figures[3 * i], figures[3 * i + 1] = x[i], y[i], z[i]
end
figures = struct.pack('<' .. string.rep('d', #figures), unpack(figures))
