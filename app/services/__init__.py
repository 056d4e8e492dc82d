"""What can happen: one public function per thing. No HTTP here."""
