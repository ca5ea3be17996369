module Average
  def self.of(values)
    values.sum / values.size
  end
end
