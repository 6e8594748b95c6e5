! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The Jacobians of the test problems against differences of their residuals.
program test_problem_jacobians
    use kinds, only: wp
    use testing, only: check_at_most, finish, digits_of
    use matrices, only: random_vector, greatest
    use problems, only: sizes, names, residuals, jacobian, starting_point
    implicit none (type, external)

    integer :: k

    do k = 1, size(sizes)
        call check_jacobian(sizes(k)%problem, sizes(k)%n, sizes(k)%m)
    end do
    call finish()

contains

    !> Compare at a point near the standard start where no component of x or f is zero by chance.
    !>
    !> The differences are of fourth order, (8 (f₁ - f₋₁) - (f₂ - f₋₂))/(12 h). A relative step of h = 5e-5
    !> turns a rounding of 10 eps in the residuals into 5e-11 and, with exponents up to 30 in the models, leaves a
    !> truncation error of (30 h)⁴/30 = 2e-13.
    subroutine check_jacobian(problem, n, m)
        integer, intent(in) :: problem, n, m

        real(wp) :: x(n), jac(m, n), difference(m), step(n), scale
        integer :: j

        x = starting_point(problem, n, 1.0_wp)
        x = x + 0.1_wp*(0.1_wp + abs(x))*random_vector(n)
        jac = jacobian(problem, m, x)
        do j = 1, n
            step = 0.0_wp
            step(j) = 5.0e-5_wp*abs(x(j))
            difference = (8.0_wp*(residuals(problem, m, x + step) - residuals(problem, m, x - step)) &
                          - (residuals(problem, m, x + 2.0_wp*step) - residuals(problem, m, x - 2.0_wp*step))) &
                         /(12.0_wp*step(j))
            scale = maxval(abs(jac(:, j))) + maxval(abs(residuals(problem, m, x)))/abs(x(j))
            call check_at_most(greatest(jac(:, j) - difference), 5.0e-11_wp*scale, &
                               trim(names(problem))//" "//digits_of(m)//" x "//digits_of(n)//": error of column " &
                               //digits_of(j)//" of the Jacobian")
        end do
    end subroutine check_jacobian

end program test_problem_jacobians
