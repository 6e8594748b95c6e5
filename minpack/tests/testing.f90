! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Checks that are counted: a failing one prints its sentence, and the program that had any ends with an error.
module testing
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: check, check_at_most, check_equal, finish, digits_of

    integer :: passed = 0, failed = 0

contains

    !> Check that a condition holds.
    subroutine check(condition, what)
        logical, intent(in) :: condition        !! what must be true
        character(*), intent(in) :: what        !! the same in words

        if (condition) then
            passed = passed + 1
        else
            failed = failed + 1
            print "(2a)", "FAILED: ", what
        end if
    end subroutine check

    !> Check that a number does not exceed a bound; NaN always does.
    subroutine check_at_most(value, bound, what)
        real(wp), intent(in) :: value           !! the number, usually an error
        real(wp), intent(in) :: bound           !! the largest value allowed
        character(*), intent(in) :: what        !! what the number is

        character(80) :: numbers

        write (numbers, "(a, es12.5, a, es12.5)") ": ", value, " is above ", bound
        call check(value <= bound, what//trim(numbers))
    end subroutine check_at_most

    !> Check that an integer is the one expected.
    subroutine check_equal(value, expected, what)
        integer, intent(in) :: value            !! the number
        integer, intent(in) :: expected         !! what it must be
        character(*), intent(in) :: what        !! what the number is

        call check(value == expected, what//": "//digits_of(value)//" is not "//digits_of(expected))
    end subroutine check_equal

    !> Print the count of checks; end with an error if any failed.
    subroutine finish()
        print "(a)", digits_of(passed)//" checks passed, "//digits_of(failed)//" failed"
        if (failed > 0) error stop 1
    end subroutine finish

    !> An integer in words of a sentence, without blanks.
    pure function digits_of(number) result(text)
        integer, intent(in) :: number           !! any integer
        character(:), allocatable :: text

        character(12) :: digits

        write (digits, "(i0)") number
        text = trim(digits)
    end function digits_of

end module testing
