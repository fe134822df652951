"""What fills the files of a study. Everything heavy is imported only when it is needed."""

from data_scripts.code_digest import code_digest


class Generator:
    """The simulator, as `study.simulate_study` sees it. The tests put a small one in its place."""

    def code(self):
        """Digest the code that decides what is written.

        Returns
        -------
        str
            A study begun with another digest is not continued.
        """
        return code_digest()

    def warm_up(self):
        """Import what people are simulated with: a process that waits for its first person does it meanwhile."""
        import data_scripts.person
        import data_scripts.write_bids  # noqa: F401

    def load_ingredients(self, profile):
        """Load what all people share.

        Parameters
        ----------
        profile : Profile
            Size of the study.

        Returns
        -------
        Ingredients
            Goes to every worker.
        """
        from data_scripts.templates import load_ingredients

        return load_ingredients(profile)

    def simulate_person(self, person, profile, ingredients, seed, physics):
        """Go through one person's files.

        Parameters
        ----------
        person : Person
            Whom.
        profile : Profile
            Size of the images.
        ingredients : Ingredients
            From `load_ingredients`.
        seed : int
            Of the study.
        physics : Physics
            Constants.

        Returns
        -------
        iterator of (Path, content)
            As `write_bids.write_content` takes them.
        """
        from data_scripts.person import simulate_person

        return simulate_person(person, profile, ingredients, seed, physics)

    def try_parameters(self, people, plan):
        """Find out whether parameters that differ from the course's can be simulated. Writes nothing.

        Parameters
        ----------
        people : sequence of Person
            Who shall take part.
        plan : Plan
            What the study shall be.

        Raises
        ------
        ValueError, ArithmeticError, IndexError
            If they cannot.
        """
        from data_scripts.trial import try_parameters

        try_parameters(people, plan.profile, plan.physics, plan.seed, self.load_ingredients, self.simulate_person)

    def atlas_files(self):
        """Go through the atlas's files.

        Returns
        -------
        iterator of (Path, content)
            As `write_bids.write_content` takes them.
        """
        from data_scripts.atlas import atlas_files

        return atlas_files()
