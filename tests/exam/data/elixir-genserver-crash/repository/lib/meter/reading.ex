defmodule Meter.Reading do
  def parse(text) do
    [value, _unit] = String.split(text, ";")
    String.to_integer(value)
  end
end
